import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { serve, type Served } from '../support/serve.ts';

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;

beforeAll(async () => {
  opened = await openConsumersApi();
  site = await serve(opened.api);
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

async function put(record: string, n: number, sync = 'shop'): Promise<void> {
  const row = { sync_id: sync, collection_id: 'shop:order', upstream_id: record, data: { n } };
  await opened.api.request('POST', '/v1/records', { records: [row] });
}

test('a record that a search finds shows whether its newest event was delivered, and who sends it from the records stream', async () => {
  const { id } = await opened.create({ name: 'Orders to Accra' });
  const { id: ofRecords } = await opened.create({
    name: 'Mirror',
    stream: 'records',
    collections: ['shop:order'],
  });
  await opened.create({ name: 'Others', stream: 'records', collections: ['shop:return'] });
  await put('ord_1', 1);
  await put('ord_1', 2);
  await put('ord_1', 1, 'another shop'); // a record with the same id, whose event is newer
  const { body } = await opened.api.request('GET', '/v1/events?sync_id=shop');
  const newest = body.events.at(-1);
  await opened.api.db.query({
    text: `
      insert into attempts (id, consumer_id, position, message_id, event_id, attempt, started_at, duration_ms, outcome, status)
      values ($1, $2, $3, $4, $4, 7, now(), 12, 'delivered', 200)`,
    values: [randomUUID(), id, newest.position, newest.event_id],
  });
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  const found = await opened.api.request('GET', '/v1/search?q=ord_1');
  const record = found.body.data.find(
    (hit: { kind: string; sync_id: string }) => hit.kind === 'record' && hit.sync_id === 'shop',
  );
  const address = new URLSearchParams({
    stream: 'records',
    record: record.version_id,
    at: record.cursor,
  });
  await openPage(page, `${site.url}/streams?${address.toString()}`);
  const drawer = page.getByRole('dialog');
  await drawer.getByText('Attempts of all consumers at its newest event, updated').waitFor();
  const attempt = drawer.getByRole('listitem').filter({ hasText: 'attempt 7' });
  for (const text of ['Orders to Accra', 'delivered', '200'])
    await attempt.getByText(text).waitFor();
  const mirror = drawer.getByRole('link', { name: 'Mirror' });
  await mirror.waitFor();
  expect(await drawer.getByText('Others').count()).toBe(0);

  await mirror.click();
  await page.waitForURL(new RegExp(`/consumers/${ofRecords}\\?record=ord_1$`, 'u'));
});

test('a record whose events are no longer kept says where its deliveries are found', async () => {
  await put('ord_2', 1);
  await opened.api.db.query(`delete from events where upstream_id = 'ord_2'`);
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  await openPage(page, `${site.url}/streams?stream=records`);
  await page.getByRole('button', { name: 'ord_2' }).click();
  const drawer = page.getByRole('dialog');
  await drawer.getByText('None of its events').waitFor();
  await expect
    .poll(() => drawer.innerText())
    .toContain('the filter “Record” finds the deliveries of it');
});
