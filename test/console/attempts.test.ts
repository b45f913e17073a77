// what pages say of the attempts at an endpoint: while somebody retries by hand, before the first one, and where nothing listens
import { expect, test } from 'vitest';

import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { siteOfFile } from '../support/consoleSite.ts';
import { until } from '../support/poll.ts';
import { answer, openReceiver } from '../support/receiver.ts';

/** So many failures in a row, each counted, would put the next attempt off by minutes. */
const BY_HAND = 7;

const openTab = browserOfFile();
const site = siteOfFile();

test('Retry now puts off no attempt, and of the attempts that were made only the newest has a next one', async () => {
  const { cluster, url, signIn } = site();
  await using receiver = await openReceiver(answer(503));
  const { id } = await cluster.consumer(receiver.url, { name: 'Orders' });
  const record = { sync_id: 'stock', collection_id: 'shop:order', upstream_id: '1', data: {} };
  await cluster.request('POST', '/v1/records', { records: [record] });
  await until(async () => (await cluster.get(id)).status === 'blocked');
  await using tab = await openTab();
  const { page, context } = tab;
  await signIn(context);
  await openPage(page, `${url}/consumers/${id}`);
  const band = page.getByRole('region', { name: 'Why it does not send' });
  for (let count = 0; count < BY_HAND; count += 1) {
    const before = receiver.received.length;
    await band.getByRole('button', { name: 'Retry now' }).click();
    const dialog = page.getByRole('dialog', { name: 'Retry Orders now?' });
    await dialog.getByText('The retry window is not reset.').waitFor();
    await dialog.getByRole('button', { name: 'Retry now' }).click();
    await dialog.waitFor({ state: 'detached' });
    await until(() => receiver.received.length > before);
  }

  const planned = band.locator('dt:text-is("Next attempt") + dd time');
  const { next, since } = await until(
    async () => {
      const { next_attempt_at: at, failing_since } = await cluster.get(id);
      const shown = await planned.getAttribute('datetime', { timeout: 5_000 });
      return (
        shown === at && at !== null && { next: Date.parse(at), since: Date.parse(failing_since!) }
      );
    },
    { what: 'the page shows when the next attempt is' },
  );
  // Each time of the schedule is about twice as far from the first failure as the one before it.
  const failingMs = Date.now() - since;
  expect(next - since).toBeLessThan(2.5 * failingMs + 6_000);

  const nexts = page
    .getByRole('table', { name: 'deliveries' })
    .locator('[role=row][data-index] [role=cell]:last-child');
  const shown = async (): Promise<string> => {
    const [first = '', ...others] = await nexts.allInnerTexts();
    const isAlone = others.length >= BY_HAND && others.every((text) => text === '–');
    return isAlone ? first : `${first}, and others: ${others.join()}`;
  };
  await expect.poll(shown).toMatch(/^in \d+ (s|min)$/u);
  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Pause', exact: true }).click();
  await band.getByText('Paused by').waitFor();
  await expect.poll(shown).toBe('–');
}, 240_000);

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

test('where an endpoint does not run, a test webhook, the consumer, its delivery and the target name its host and port, and ask whether it runs', async () => {
  const { url, signIn, cluster } = site();
  const { url: nowhere } = await closedEndpoint();
  const port = new URL(nowhere).port;
  const says = `No connection to 127.0.0.1:${port} is accepted. Is your endpoint running on that port, on the machine where Millrace runs?`;
  const { id, target_id } = await cluster.consumer(nowhere, { name: 'Nobody there', syncs: ['s'] });
  const event = {
    sync_id: 's',
    collection_id: 'a:b',
    upstream_id: 'r-1',
    event: 'created',
    data: {},
  };
  await cluster.request('POST', '/v1/events', { events: [event] });
  await until(async () => (await cluster.get(id)).status === 'blocked');

  await using tab = await openTab({ viewport: { width: 400, height: 800 } });
  const { page, context } = tab;
  await signIn(context);
  await openPage(page, `${url}/consumers/${id}`);
  const band = page.getByRole('region', { name: 'Why it does not send' });
  await band.getByText(says).waitFor();
  await page.getByRole('button', { name: 'r-1' }).first().click();
  await page.getByRole('dialog').getByText(says).waitFor();
  await page.keyboard.press('Escape');

  await openPage(page, `${url}/targets/${target_id}`);
  await page.getByText(says).waitFor();
  await page.getByRole('button', { name: 'Send test webhook' }).click();
  const tested = page.getByRole('status').filter({ hasText: 'connection refused' });
  await tested.getByText(says).waitFor();
  await expect.poll(() => page.getByText(says).count()).toBe(2); // the last failure says so as well
});

/** An address at which nothing listens any more. */
async function closedEndpoint(): Promise<{ url: string }> {
  await using receiver = await openReceiver();
  return { url: receiver.url };
}

async function append(sync_id: string): Promise<void> {
  const event = { sync_id, collection_id: 'a:b', upstream_id: 'r-1', event: 'created', data: {} };
  await site().cluster.request('POST', '/v1/events', { events: [event] });
}
