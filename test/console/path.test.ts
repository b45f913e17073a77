import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';

import { browserOfFile } from '../support/browser.ts';
import { siteOfFile } from '../support/consoleSite.ts';
import { medianOf } from '../support/percentiles.ts';
import { until } from '../support/poll.ts';
import { accept, answer, openReceiver } from '../support/receiver.ts';

/** From the request that appends an entry to its delivery on the page, on a machine that opens the page at once. */
const LIVE_MS = 2_000;
/** The request with which the page of a consumer waits for deliveries. */
const WAITS = /\/attempts\?.*wait_for=25000/u;
const FIRST = ['first', 'second', 'third'];

const openTab = browserOfFile();
const site = siteOfFile();

test('from nothing to a delivery, an edited filter, a failing endpoint and its recovery, in the console alone', async () => {
  const { url, signIn } = site();
  await using receiver = await openReceiver();
  await using tab = await openTab();
  const { page, context } = tab;
  await signIn(context);
  const opening = performance.now();
  await page.goto(url);
  await page.getByRole('link', { name: 'Targets', exact: true }).waitFor();
  const openedMs = performance.now() - opening;

  await createTarget(page, receiver.url);
  const arrived = receiver.received.length;
  expect(arrived, 'the test webhook').toBe(1);
  const first = page.waitForRequest(WAITS, { timeout: 0 });
  const id = await createConsumer(page);

  const times: number[] = [];
  let waiting = await first;
  for (const id of FIRST) {
    const next = page.waitForRequest(WAITS);
    const began = performance.now();
    await event('shop', id);
    const answered = await waiting.response(); // it waited before there was anything to ask for
    expect(await answered?.text()).toContain(`"${id}"`);
    await shows(page, id);
    times.push(performance.now() - began);
    waiting = await next;
  }
  process.stderr.write(
    `from an append to its delivery in the live tail: ${times.map(Math.round).join(', ')} ms\n`,
  );
  expect(medianOf(times)).toBeLessThan(LIVE_MS + openedMs);

  await event('crm', 'not-wanted-yet');
  await addSync(page, 'crm');
  await event('crm', 'wanted');
  await shows(page, 'wanted');
  expect(await page.getByText('not-wanted-yet').count()).toBe(0);
  expect(receiver.received.slice(arrived).map(({ id: sent }) => sent)).toEqual([
    ...FIRST,
    'wanted',
  ]);

  receiver.respond = answer(503, { 'retry-after': '3600' });
  await event('shop', 'late');
  await heading(page, 'blocked');
  const band = page.getByRole('region', { name: 'Why it does not send' });
  await band
    .getByRole('definition')
    .filter({ hasText: /^in 5\d min/u })
    .waitFor();
  await shows(page, 'late');
  await page.getByRole('row').filter({ hasText: 'late' }).getByText('503').waitFor();

  receiver.respond = accept;
  await page.getByRole('button', { name: 'Retry now' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText(/retry window is not reset/u).waitFor();
  await dialog.getByRole('button', { name: 'Retry now' }).click();
  await heading(page, 'active');
  await page
    .getByRole('row')
    .filter({ hasText: 'late' })
    .filter({ hasText: 'delivered' })
    .waitFor();
  await page.getByText('Caught up').first().waitFor();
  await until(async () => (await site().cluster.get(id)).lag.entries === 0);

  // What the drawer tells of the entry that failed first.
  await page.getByRole('button', { name: /late/u }).first().click();
  const attempts = page.getByRole('dialog').getByRole('listitem');
  await expect.poll(() => attempts.allInnerTexts()).toHaveLength(2);
  await expect
    .poll(async () =>
      (await attempts.allInnerTexts()).map((text) => /failed|delivered/u.exec(text)?.[0]),
    )
    .toEqual(['failed', 'delivered']);
});

async function createTarget(page: Page, endpoint: string): Promise<void> {
  await page.getByRole('link', { name: 'Targets', exact: true }).click();
  await page.getByRole('button', { name: 'Add new' }).first().click();
  await page.getByRole('menuitem', { name: 'Webhook endpoint' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Our endpoint');
  await page.getByLabel('Base URL').fill(endpoint);
  await page.getByRole('button', { name: 'Send test webhook' }).click();
  await page.getByText('204').first().waitFor();
  await page.getByRole('button', { name: 'Save target' }).click();
  await page
    .getByText(/whsec_/u)
    .first()
    .waitFor();
}

/** By the six steps, for the events of one sync from now on. */
async function createConsumer(page: Page): Promise<string> {
  await page.getByRole('link', { name: 'Choose what is sent' }).click();
  const next = (to: string) => page.getByRole('button', { name: `Next: ${to}` }).click();
  await page.getByRole('radio', { name: /^Our endpoint/u, checked: true }).waitFor(); // nothing moves any more
  await next('select syncs');
  await page.getByLabel('Selected syncs').check();
  await page.getByLabel('Search syncs').fill('shop');
  await page.getByRole('button', { name: 'Add “shop”' }).click();
  await next('select collections');
  await next('select event types');
  await next('select start position');
  await next('save');
  await page.getByLabel('Name', { exact: true }).fill('Shop to us');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.waitForURL(/\/consumers\/[0-9a-f-]{36}$/u);
  await heading(page, 'active');
  await page.getByText('Nothing has been sent yet').waitFor();
  return page.url().slice(-36);
}

async function addSync(page: Page, sync: string): Promise<void> {
  await page.getByRole('tab', { name: 'Filter' }).click();
  await page.getByRole('button', { name: 'Edit filter' }).click();
  await page.getByLabel('Search syncs').fill(sync);
  const seen = page.getByRole('checkbox', { name: new RegExp(`^${sync}`, 'u') });
  const typed = page.getByRole('button', { name: `Add “${sync}”` });
  await seen.or(typed).first().click();
  await page.getByRole('button', { name: 'Save filter' }).click();
  await page.getByText(/Filter saved \(version 2\)/u).waitFor();
  await page.getByRole('tab', { name: 'Deliveries' }).click();
}

async function heading(page: Page, status: string): Promise<void> {
  await page.getByRole('heading', { level: 1 }).getByText(status).waitFor();
}

/** Its delivery is in the table. */
async function shows(page: Page, eventId: string): Promise<void> {
  const cell = page.getByRole('table', { name: 'deliveries' }).getByText(eventId, { exact: true });
  await cell.first().waitFor();
}

/** One event through the API; its record, which is what the tables show, has the same id. */
async function event(syncId: string, eventId: string): Promise<void> {
  const one = {
    sync_id: syncId,
    collection_id: 'stripe:charge',
    upstream_id: eventId,
    event: 'created',
    event_id: eventId,
    data: { name: eventId },
  };
  await site().cluster.request('POST', '/v1/events', { events: [one] });
}
