// a consumer that runs: its condition, its body and its batches are changed on its page, and the endpoint gets what the page says
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';

import { browserOfFile } from '../support/browser.ts';
import { saidOnce } from '../support/consolePage.ts';
import { siteOfFile } from '../support/consoleSite.ts';
import { until } from '../support/poll.ts';
import { openReceiver } from '../support/receiver.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

const openTab = browserOfFile();
const site = siteOfFile();

/** Appends events whose ids are `o` with their amounts, in one trace. */
async function append(...amounts: number[]): Promise<void> {
  const event = { sync_id: 's1', collection_id: 'shop:order', event: 'created' };
  const events = amounts.map((amount) => ({
    ...event,
    upstream_id: `o${amount}`,
    data: { amount },
  }));
  const headers = { traceparent: `00-${TRACE}-${SPAN}-01` };
  await site().cluster.request('POST', '/v1/events', { events }, headers);
}

test('a condition, a body and batches that are saved while a consumer runs apply to what is appended then, and its deliveries show batch and trace', async () => {
  const { url, signIn, cluster } = site();
  await using receiver = await openReceiver();
  const { id } = await cluster.consumer(receiver.url, { name: 'Orders' });
  const bodies = (): string[] => receiver.received.map(({ body }) => body);
  const has = (text: string): Promise<unknown> =>
    until(() => bodies().some((body) => body.includes(text)), { timeoutMs: 20_000, what: text });
  await append(500, 5);
  await has('"o5"');
  await using tab = await openTab({ expected: [/422/u] });
  const { page, context } = tab;
  await signIn(context);

  await page.goto(`${url}/consumers/${id}?tab=filter`);
  await page.getByRole('button', { name: 'Edit filter' }).click();
  await page.getByRole('button', { name: 'Add a condition' }).click();
  await page.getByRole('textbox', { name: 'Condition' }).fill('event.data.amount > 100');
  await page.getByText('1 of the last 2 events would have been sent (50 %).').waitFor();
  await page.getByRole('button', { name: 'Save filter' }).click();
  await page.getByText('Filter saved (version 2)').waitFor();
  await append(7, 700);
  await has('"o700"');
  expect(bodies().join('')).not.toContain('"o7"');

  await page.getByRole('tab', { name: 'Settings' }).click();
  await page.getByRole('radio', { name: /^Map/u }).check();
  await page.getByRole('textbox', { name: 'Expression' }).fill('{"text": event.upstream_id}');
  await page.getByLabel('Sample: the newest match').getByText('{"text":"o700"}').waitFor();
  await save(page);
  await append(701);
  await has('{"text":"o701"}');
  expect(bodies()).toContain('{"text":"o701"}');

  expect(await page.getByText(/such as Slack, does not take that/u).count()).toBe(0);
  await page.getByRole('checkbox', { name: 'Send several entries with one request' }).check();
  await page
    .getByText(/^▲ .*An endpoint that takes one message per request, such as Slack/u)
    .waitFor();
  await page.getByLabel('Max wait (ms)').fill('2000');
  await save(page);
  await append(702, 703, 704);
  await has('"o704"');
  expect(bodies()).toContain('{"events":[{"text":"o702"},{"text":"o703"},{"text":"o704"}]}');

  await page.getByRole('tab', { name: 'Deliveries' }).click();
  await page.getByRole('button', { name: 'o703' }).click();
  const drawer = page.getByRole('dialog');
  await drawer.getByText('one of 3 entries of this request').waitFor();
  await drawer.getByText(TRACE).waitFor();
  await drawer.getByText(SPAN).waitFor();
  await drawer.getByText('The request carried this entry with others.').waitFor();
  await drawer.getByLabel('The entry').getByText('"amount":703').waitFor();
  await page.keyboard.press('Escape');

  await page.getByRole('tab', { name: 'Filter' }).click();
  await page.getByRole('button', { name: 'Edit filter' }).click();
  await page.getByRole('button', { name: 'Remove condition' }).click();
  await page.getByRole('button', { name: 'Save filter' }).click();
  await page.getByText('Filter saved (version 3)').waitFor();
  await append(8);
  await has('"o8"');
  expect(bodies().join('')).not.toContain('"o7"');

  const body = { mode: 'map', expression: '{"text": event.data.missing}' };
  await cluster.request('PATCH', `/v1/consumers/${id}`, { body });
  await append(9);
  await page.getByRole('tab', { name: 'Deliveries' }).click();
  await page.getByRole('button', { name: 'o9' }).first().click();
  await drawer
    .getByText(/^Nothing was sent: no body could be made of this entry, as .*"missing"/u)
    .waitFor();
  await drawer.getByLabel('The entry').getByText('"amount":9').waitFor();
  expect(await drawer.getByText('What was sent').count()).toBe(0);
  await page.keyboard.press('Escape');
  await page.getByText(/parked.*of the newest no body can be made: .*"missing"/u).waitFor();
});

async function save(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Save changes' }).click();
  await saidOnce(page, 'Saved');
}
