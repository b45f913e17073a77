import { expect, test } from 'vitest';

import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { siteOfFile } from '../support/consoleSite.ts';
import { until } from '../support/poll.ts';
import { openReceiver } from '../support/receiver.ts';

const openTab = browserOfFile();
const site = siteOfFile();

test('a target that nothing was sent to has not been tried yet, and a consumer whose filter matched nothing says so, until something is sent', async () => {
  const { url, signIn, cluster } = site();
  await using receiver = await openReceiver();
  const consumer = await cluster.consumer(receiver.url, {
    name: 'Waits for shop',
    syncs: ['shop'],
  });
  await using tab = await openTab();
  const { page, context } = tab;
  await signIn(context);
  await openPage(page, `${url}/targets`);
  const table = page.getByRole('table', { name: 'targets' });
  await table.getByText('not tried yet').waitFor();
  await openPage(page, `${url}/consumers/new`);
  await page.getByRole('radio', { name: /not tried yet/u }).waitFor();
  await openPage(page, `${url}/targets/${consumer.target_id}`);
  await page.getByRole('heading', { level: 1 }).getByText('not tried yet').waitFor();
  await page.getByText('Nothing has been sent to it yet.').waitFor();

  // Its position moves on over what does not match.
  await append('crm');
  await until(async () => (await cluster.get(consumer.id)).position > consumer.position);
  await openPage(page, `${url}/consumers/${consumer.id}`);
  await page.getByText('Nothing has matched yet: the first entry').waitFor();
  await page.getByText('nothing has matched yet', { exact: true }).waitFor();
  expect(await page.getByText(/caught up/iu).count()).toBe(0);

  await append('shop');
  await page.getByText('Caught up: every matching entry has been sent.').waitFor();
  await page.getByText('caught up', { exact: true }).waitFor();
  await openPage(page, `${url}/targets/${consumer.target_id}`);
  await page
    .getByRole('heading', { level: 1 })
    .getByText(/^●?ok$/u)
    .waitFor();
});

async function append(sync_id: string): Promise<void> {
  const event = { sync_id, collection_id: 'a:b', upstream_id: 'r-1', event: 'created', data: {} };
  await site().cluster.request('POST', '/v1/events', { events: [event] });
}
