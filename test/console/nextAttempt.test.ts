// what is said of the next attempt while somebody retries by hand
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
  const record = { sync_id: 'shop', collection_id: 'shop:order', upstream_id: '1', data: {} };
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
