import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import { browserOfFile, type TabOptions } from '../support/browser.ts';
import { openCommandedConsumers } from '../support/commandedConsumers.ts';
import { openPage } from '../support/consolePage.ts';
import type { ConsumersApi } from '../support/consumers.ts';
import { serve, type Served } from '../support/serve.ts';

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;
beforeAll(async () => {
  opened = await openCommandedConsumers();
  site = await serve(opened.api);
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

async function sql(text: string, values: unknown[] = []): Promise<void> {
  await opened.api.db.query({ text, values });
}

async function openSigned(path: string, options: TabOptions = {}) {
  const tab = await openTab(options);
  await site.signIn(tab.context);
  await openPage(tab.page, `${site.url}${path}`);
  return { tab, page: tab.page };
}

const band = (page: Page): Locator => page.getByRole('region', { name: 'Why it does not send' });
const rows = (page: Page): Locator => page.getByRole('table').locator('[role=row][data-index]');
const pressed = async (page: Page, name: string): Promise<void> => {
  await page.getByRole('dialog').getByRole('button', { name, exact: true }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
};

interface Entry {
  position: number;
  id: string;
}

/** Appends an event of a record; it is called `e-RECORD-TYPE`. */
async function event(record: string, type: 'created' | 'updated'): Promise<Entry> {
  const id = `e-${record}-${type}`;
  const one = {
    sync_id: 'shop',
    collection_id: 'shop:order',
    upstream_id: record,
    event: type,
    event_id: id,
    data: {},
  };
  const { status, body } = await opened.api.request('POST', '/v1/events', { events: [one] });
  expect(status).toBe(200);
  return { position: body.position, id };
}

/** An attempt that started so many minutes ago. */
async function attempt(
  consumerId: string,
  { position, id }: Entry,
  { minutes = 1, status = 200 }: { minutes?: number; status?: number } = {},
): Promise<void> {
  const isDelivered = status < 300;
  await sql(
    `insert into attempts (id, consumer_id, position, message_id, event_id, attempt, started_at, duration_ms,
                           outcome, status, error_code)
     values ($1, $2, $3, $4, $4, 1, clock_timestamp() - $5 * interval '1 min', 12, $6, $7, $8)`,
    [
      newId(),
      consumerId,
      position,
      id,
      minutes,
      isDelivered ? 'delivered' : 'failed',
      status,
      isDelivered ? null : 'HTTP_5XX',
    ],
  );
}

async function block(id: string): Promise<void> {
  const { position } = await event(`head-${id}`, 'created');
  const failure = {
    code: 'HTTP_5XX',
    status: 503,
    detail: 'HTTP 503',
    at: new Date(),
    since: new Date(),
  };
  await sql(
    `update consumers set status = 'blocked', status_reason = 'HTTP_5XX: HTTP 503', failing_since = now() where id = $1`,
    [id],
  );
  await opened.setCursor(
    id,
    `head = ${position}, attempt = 3, next_attempt_at = now() + interval '9 min',
     last_failure = '${JSON.stringify(failure)}'`,
  );
}

async function deadLetter(consumerId: string, { position, id }: Entry): Promise<void> {
  const failure = {
    code: 'HTTP_4XX',
    status: 422,
    detail: 'HTTP 422',
    at: new Date().toISOString(),
    response_head: null,
  };
  await sql(
    `insert into dead_letters (id, consumer_id, position, message_id, sync_id, collection_id, upstream_id, event,
                               body, attempts, parked_at, died_at, last_failure)
     values ($1, $2, $3, $4, 'shop', 'shop:order', 'dead-record', 'updated', '{}', 9, now(), now(), $5)`,
    [newId(), consumerId, position, id, JSON.stringify(failure)],
  );
}

async function park(consumerId: string, { position, id }: Entry, record: string): Promise<void> {
  const failure = {
    code: 'HTTP_4XX',
    status: 422,
    detail: 'no such state',
    at: new Date().toISOString(),
    response_head: null,
  };
  await sql(
    `insert into parked (consumer_id, position, message_id, sync_id, collection_id, upstream_id, event, body,
                         attempts, parked_at, parked_ms, failing_ms, due_ms, last_failure)
     select id, $2, $3, 'shop', 'shop:order', $4, 'updated', '{}', 3, now(), 0, 0, active_ms + 3600000, $5
       from consumers where id = $1`,
    [consumerId, position, id, record, JSON.stringify(failure)],
  );
}

test('the reason why a consumer does not send comes first, with the command that helps; minor notes are plain links', async () => {
  const { id } = await opened.create({ name: 'Blocked', syncs: ['shop'] });
  await deadLetter(id, await event('dead-record', 'updated'));
  await block(id);
  const { tab, page } = await openSigned(`/consumers/${id}`);
  await using _ = tab;
  const why = band(page);
  for (const text of ['Answered HTTP 503', 'HTTP_5XX', 'Next attempt', 'Gives up']) {
    await why.getByText(text).first().waitFor();
  }
  await why
    .getByText(/^in [5-8] min/u)
    .first()
    .waitFor();
  await why.getByText('in 23 h').waitFor();
  const note = page.getByRole('link', { name: '1 dead letter: replay or delete them' });
  const top = async (found: Locator): Promise<number> => (await found.boundingBox())?.y ?? NaN;
  await expect.poll(() => top(why)).toBeLessThan(await top(note));
  await expect.poll(() => top(note)).toBeLessThan(await top(page.getByRole('tablist')));

  await note.click();
  await page.waitForURL(/[?&]tab=dead-letters$/u);
  await expect
    .poll(() => page.getByRole('tab', { selected: true }).innerText())
    .toBe('Dead letters (1)');
  await page.getByRole('button', { name: 'dead-record' }).click();
  await page.getByRole('dialog').getByText('Dead letter of dead-record').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });

  // The keyboard asks as the buttons do.
  await page.keyboard.press('r');
  await page.getByRole('dialog', { name: 'Retry Blocked now?' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });

  // Pausing gives another reason, and resuming ends that one.
  await page.keyboard.press('p');
  await page.getByRole('dialog', { name: 'Pause Blocked?' }).waitFor();
  await pressed(page, 'Pause');
  await why.getByText('Paused by the admin key').waitFor();
  await why.getByText('Since', { exact: true }).waitFor();
  await why.getByRole('button', { name: 'Resume' }).click();
  await pressed(page, 'Resume');
  await why.waitFor({ state: 'detached' });
  await page.getByRole('heading', { level: 1 }).getByText('active').waitFor();
});

test('a delivery is titled with its record, type and collection, and with its position once its entry is gone', async () => {
  const { id } = await opened.create({ name: 'Named' });
  const kept = await event('order-1', 'updated');
  await attempt(id, kept, { minutes: 2 });
  await attempt(id, { position: 77_000_000, id: 'gone' }, { minutes: 1, status: 503 });
  for (const width of [1280, 400]) {
    const { tab, page } = await openSigned(`/consumers/${id}`, {
      viewport: { width, height: 800 },
    });
    await using _ = tab;
    await rows(page).nth(1).waitFor();
    await page.getByText('In the last hour: 1 delivered, 1 failed (50 %).').waitFor();
    await page.getByText('answered in 12 ms').waitFor();
    const [gone, named] = await rows(page).allInnerTexts();
    expect(named).toContain('order-1');
    expect(named).toContain('updated · shop:order');
    expect(named).toContain('delivered');
    expect(gone).toContain('position 77,000,000, not kept');
    expect(gone).toContain('503');
    await page.getByRole('button', { name: /order-1/u }).click();
    await page.getByRole('dialog').getByText(kept.id).first().waitFor();
  }
});

test('deliveries are found by record, by webhook-id and by time, and the address keeps the search', async () => {
  const { id } = await opened.create({ name: 'Found' });
  const [first, second] = [await event('found-1', 'created'), await event('found-2', 'created')];
  await attempt(id, first, { minutes: 200 });
  await attempt(id, await event('found-1', 'updated'), { minutes: 3 });
  await attempt(id, second, { minutes: 0 });
  const { tab, page } = await openSigned(`/consumers/${id}`);
  await using _ = tab;
  const count = (expected: number): Promise<void> =>
    expect.poll(() => rows(page).count(), { message: page.url() }).toBe(expected);
  await count(3);
  await page.getByRole('button', { name: 'More filters' }).click();
  await page.getByLabel('Record', { exact: true }).fill('found-1');
  await page.waitForURL(/\?record=found-1$/u);
  await count(2);
  await page.getByLabel('Time', { exact: true }).selectOption('1h');
  await page.waitForURL(/[?&]since=1h$/u);
  await count(1);
  // What comes is held back by the filter as well.
  await attempt(id, await event('found-3', 'created'), { minutes: 0 });
  await attempt(id, { ...first, id: 'again' }, { minutes: 0 });
  await count(2);

  await page.reload();
  await count(2);
  await expect.poll(() => page.getByLabel('Record', { exact: true }).inputValue()).toBe('found-1');
  await page.getByLabel('Record', { exact: true }).fill('');
  await page.getByLabel('webhook-id').fill(second.id);
  await count(1);
  await page.getByText('found-2').waitFor();
  await page.getByLabel('Time', { exact: true }).selectOption('range');
  await page.getByLabel('To, in your time zone').fill('2020-01-01T00:00:00');
  await page.waitForURL(/[?&]until=2020-01-0/u);
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await page.waitForURL(/\/consumers\/[0-9a-f-]+$/u);
  await count(5);
  await expect.poll(() => page.getByLabel('webhook-id').inputValue()).toBe('');
});

test('parked entries have a tab of the page, with their failures, and can be retried immediately from there', async () => {
  const { id } = await opened.create({ name: 'Parks' });
  const entry = await event('parked-1', 'updated');
  await park(id, entry, 'parked-1');
  await attempt(id, entry, { minutes: 5, status: 422 });
  await attempt(id, await event('other', 'updated'));
  const { tab, page } = await openSigned(`/consumers/${id}`);
  await using _ = tab;
  await page.getByRole('link', { name: /^1 entry is parked/u }).click();
  await expect.poll(() => page.getByRole('tab', { selected: true }).innerText()).toBe('Parked (1)');
  await rows(page).first().waitFor();
  const row = await rows(page).first().innerText();
  for (const text of ['parked-1', 'updated · shop:order', 'HTTP_4XX 422', 'no such state']) {
    expect(row).toContain(text);
  }
  expect(row).toMatch(/in 5\d min/u);
  await page.getByRole('button', { name: 'Retry 1 parked entry now…' }).click();
  await pressed(page, 'Retry now');
  await expect.poll(() => rows(page).first().innerText()).toContain('now');

  await page.getByRole('link', { name: 'parked-1' }).click();
  await page.waitForURL(/\?record=parked-1$/u);
  await expect.poll(() => rows(page).allInnerTexts()).toEqual([expect.stringContaining('422')]);
});

test('the dead letters of a failure are found by their status, however many newer ones failed by another', async () => {
  const { id } = await opened.create({ name: 'Many dead letters' });
  await sql(
    `insert into dead_letters (id, consumer_id, position, message_id, sync_id, collection_id, upstream_id, event,
                               body, attempts, parked_at, died_at, last_failure)
     select gen_random_uuid(), $1, n, 'm', 'shop', 'shop:order', 'letter-' || n, 'updated', '{}', 9, now(),
            now() + n * interval '1 s',
            json_build_object('code', 'HTTP_4XX', 'status', case n when 1 then 404 else 422 end,
                              'detail', '', 'at', now(), 'response_head', null)
       from generate_series(1, 120) n`,
    [id],
  );
  const { tab, page } = await openSigned(`/consumers/${id}?tab=dead-letters`);
  await using _ = tab;
  await page.getByRole('button', { name: /HTTP_4XX 404/u }).click();
  await page.waitForURL(/[?&]code=HTTP_4XX&answer=404$/u);
  await rows(page).getByText('letter-1', { exact: true }).waitFor();
  await expect.poll(() => rows(page).count()).toBe(1);
  // A status that there can't be is none.
  await openPage(page, `${site.url}/dead-letters?consumer=${id}&status=4xx`);
  await rows(page).getByText('letter-120', { exact: true }).waitFor();
});

test('Overview, lists and alerts lead with one click to what was put aside of a consumer', async () => {
  const { id } = await opened.create({ name: 'Puts aside' });
  await deadLetter(id, await event('put-aside', 'updated'));
  await park(id, await event('parked-record', 'updated'), 'parked-record');
  const detail = {
    consumer_id: id,
    name: 'Puts aside',
    reason: 'told of',
    target: 'one',
    endpoint: 'https://example.com/hooks',
    failing_since: null,
    last_failure: null,
    position: 0,
    waiting: 0,
    url: `${site.url}/consumers/${id}?tab=dead-letters`,
  };
  await sql(
    `insert into alerts (id, consumer_id, kind, detail, at) values ($1, $2, 'dead-letters', $3, now())`,
    [newId(), id, JSON.stringify(detail)],
  );
  const { tab, page } = await openSigned('/');
  await using _ = tab;
  const item = (text: string): Locator =>
    page.getByRole('listitem').filter({ hasText: 'Puts aside' }).filter({ hasText: text });
  const row = page.getByRole('row').filter({ hasText: 'Puts aside' });
  for (const [path, found, part, record] of [
    ['/', item('1 dead letter'), 'dead-letters', 'dead-record'],
    ['/', item('1 parked'), 'parked', 'parked-record'],
    ['/', item('told of'), 'dead-letters', 'dead-record'],
    ['/alerts', row, 'dead-letters', 'dead-record'],
    ['/consumers?has=parked', row, 'parked', 'parked-record'],
    ['/consumers?has=dead_letters', row, 'dead-letters', 'dead-record'],
  ] as const) {
    await openPage(page, `${site.url}${path}`);
    await found.getByRole('link', { name: 'Puts aside' }).click();
    await page.waitForURL(`${site.url}/consumers/${id}?tab=${part}`);
    await rows(page).getByText(record, { exact: true }).waitFor();
  }
  await openPage(page, `${site.url}/alerts`);
  await row.getByRole('button').click();
  await page.getByRole('link', { name: 'Open its dead letters' }).click();
  await page.waitForURL(`${site.url}/consumers/${id}?tab=dead-letters`);
  await expect
    .poll(() => page.getByRole('tab', { selected: true }).innerText())
    .toBe('Dead letters (1)');
});

test('pauses, edits and seeks are described in words, and are marked in the charts and in the tables of these', async () => {
  const { id } = await opened.create({ name: 'Changed', syncs: ['a'] });
  const base = `/v1/consumers/${id}`;
  for (const [path, body] of [
    ['/pause', undefined],
    ['/resume', undefined],
    ['/filter', { add: { syncs: ['shop'] } }],
    ['/seek', { to: 'beginning' }],
  ] as const) {
    expect((await opened.api.request('POST', base + path, body)).status, path).toBe(200);
  }
  await sql(
    `insert into alerts (id, consumer_id, kind, detail, at) values ($1, $2, 'stopped', '{"reason":"it failed"}', now())`,
    [newId(), id],
  );
  const { tab, page } = await openSigned(`/consumers/${id}?tab=changes`);
  await using _ = tab;
  await rows(page).nth(4).waitFor();
  const texts = (await rows(page).allInnerTexts()).map((text) => text.split('\n').slice(1));
  expect(texts.map(([what]) => what)).toEqual([
    'Moved to the beginning',
    'Filter: added sync shop',
    'Resumed',
    'Paused',
    'Created, starting at the end',
  ]);
  await page.getByRole('tab', { name: 'Deliveries' }).click();
  const lag = page.locator('figure').filter({ hasText: 'Lag' });
  await lag.locator('[data-mark]').last().hover();
  await page.getByRole('tooltip').getByText('Moved to the beginning by the admin key').waitFor();
  await page.getByRole('tooltip').getByText('Stopped: it failed').waitFor();
  await lag.getByText('Show as table').click();
  const table = page.getByRole('region', { name: 'Lag as a table' });
  await table.getByText('Paused by the admin key').waitFor();
  await table.getByText('Filter: added sync shop (the admin key)').waitFor();
});

test('on a phone the reason and the first deliveries are on the first screen', async () => {
  const { id } = await opened.create({ name: 'On a phone', syncs: ['shop'] });
  await deadLetter(id, await event('dead-on-a-phone', 'created'));
  await attempt(id, await event('phone-1', 'created'), { status: 503 });
  await block(id);
  const { tab, page } = await openSigned(`/consumers/${id}`, {
    viewport: { width: 400, height: 800 },
  });
  await using _ = tab;
  await band(page).getByRole('button', { name: 'Retry now' }).waitFor();
  await rows(page).first().waitFor();
  const box = await rows(page).first().boundingBox();
  expect((box?.y ?? NaN) + (box?.height ?? NaN)).toBeLessThan(800);
  await page.getByRole('button', { name: 'Filters' }).click();
  await page.getByLabel('Outcome').selectOption('delivered');
  await page.waitForURL(/\?outcome=delivered$/u);
});
