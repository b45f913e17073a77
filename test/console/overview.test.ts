import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { CommandRequest } from '../../src/rules/command.ts';
import { countAttempts } from '../../src/telemetry/attemptTotals.ts';
import { browserOfFile } from '../support/browser.ts';
import { openPage, showTimes } from '../support/consolePage.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { openReceiver, type TestReceiver } from '../support/receiver.ts';
import { serve, type Served } from '../support/serve.ts';

const MINUTE_MS = 60_000;
const FAILING = 5;

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;
let receiver: TestReceiver;
/** The consumers that send to the receiver, the failing ones first. */
const accra: string[] = [];
/** The commands that were given in the place of Temporal: which one, to whom, and how many at a time at most. */
const given = { verbs: [] as string[], ids: [] as string[], underWay: 0, most: 0 };
/** The consumer that refuses commands. */
let refusing: string | null = null;
/** The part that does not answer. */
let away: string | null = null;
/** Commands wait for it. */
let gate: Promise<void> = Promise.resolve();

beforeAll(async () => {
  const part = (name: string) => () => Promise.resolve(name !== away);
  opened = await openConsumersApi({
    commands: { give: take },
    parts: { database: part('database'), temporal: part('temporal'), worker: part('worker') },
  });
  site = await serve(opened.api);
  receiver = await openReceiver();
  const target = await opened.api.request('POST', '/v1/targets', {
    name: 'Warehouse Accra',
    base_url: receiver.url,
  });
  for (let n = 0; n < FAILING + 1; n += 1) {
    const fields = { name: `accra ${n}`, target_id: target.body.id };
    accra.push((await opened.create(fields)).id as string);
  }
  for (const id of accra.slice(0, FAILING)) await block(id, 503);
  await opened.create({ name: 'another' });
});
afterAll(async () => {
  await receiver[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

async function take(id: string, { command }: CommandRequest) {
  given.underWay += 1;
  given.most = Math.max(given.most, given.underWay);
  await gate;
  given.underWay -= 1;
  if (id === refusing) {
    return { ok: false, status: 409, code: 'conflict', detail: 'It is busy' } as const;
  }
  given.ids.push(id);
  given.verbs.push(command.kind);
  return { ok: true, version: 2 } as const;
}

async function sql(text: string, values: unknown[] = []): Promise<void> {
  await opened.api.db.query({ text, values });
}

/** Has it fail since 12:03, as its sender and its workflow would write it. */
async function block(id: string, status: number): Promise<void> {
  const since = '2026-11-23T12:03:00Z';
  const failure = { code: 'HTTP_5XX', status, detail: `HTTP ${status}`, at: since, since };
  await opened.setCursor(
    id,
    `head = 1, attempt = 3, schedule_from = '${since}', next_attempt_at = now() + interval '1 hour',
     last_failure = '${JSON.stringify(failure)}'`,
  );
  await sql(`update consumers set status = 'blocked', failing_since = '${since}' where id = $1`, [
    id,
  ]);
}

async function openOverview(width = 1280) {
  const tab = await openTab({
    viewport: { width, height: 800 },
    expected: [/409/u], // what a consumer that refuses answers
  });
  await showTimes(tab.page, 'utc');
  await site.signIn(tab.context);
  await openPage(tab.page, `${site.url}/`);
  return { tab, page: tab.page };
}

/** The numbers of the strip, by what they count. */
async function stripOf(page: Page): Promise<Record<string, string>> {
  const tiles = await page
    .getByRole('navigation', { name: 'States' })
    .getByRole('link')
    .allInnerTexts();
  return Object.fromEntries(
    tiles.map((text) => {
      const [value = '', title = ''] = text.split('\n').map((line) => line.trim());
      return [title, value];
    }),
  );
}

const groups = (page: Page) => page.getByRole('list', { name: 'Troubles' }).getByRole('listitem');

test('each number at the top is a link to a list of that many items', async () => {
  await sql(
    `update consumers set status = 'paused', status_reason = 'paused by me' where name = 'another'`,
  );
  const { tab, page } = await openOverview();
  await using _ = tab;
  await expect
    .poll(() => stripOf(page))
    .toEqual({
      consumers: '7',
      active: '1',
      blocked: '5',
      stopped: '0',
      paused: '1',
      parked: '0',
      'dead letters': '0',
      'oldest lag': 'none',
    });
  for (const [title, rows] of [
    ['consumers', 7],
    ['blocked', 5],
    ['paused', 1],
  ] as const) {
    await openPage(page, `${site.url}/`);
    const strip = page.getByRole('navigation', { name: 'States' });
    await strip.getByRole('link', { name: new RegExp(`\\d ${title}$`, 'u') }).click();
    await page.getByRole('heading', { name: 'Consumers' }).waitFor();
    await expect.poll(() => page.getByRole('row').count()).toBe(rows + 1);
  }
});

test('consumers that fail alike are one line of their target, with the time at which the first of them gives up', async () => {
  const sample = "insert into lag_samples values ($1, date_trunc('minute', now()), 35, true)";
  await sql(sample, [accra[0]]);
  const { tab, page } = await openOverview();
  await using _ = tab;
  await expect.poll(() => groups(page).count()).toBe(1);
  const text = await groups(page).innerText();
  expect(text).toContain('Warehouse Accra');
  expect(text).toContain('5 of 6 consumers: HTTP 503, failing since 2026-11-23 12:03 UTC');
  expect(text).toContain(
    'the first gives up 2026-11-24 12:03 UTC and then stops. 35 entries wait.',
  );
  await groups(page).getByRole('link', { name: '5 of 6 consumers' }).click();
  await page.getByRole('heading', { name: 'Consumers' }).waitFor();
  await expect.poll(() => page.getByRole('row').count()).toBe(FAILING + 1);
  await page.getByRole('link', { name: 'Clear the filter: of Warehouse Accra' }).click();
  await expect.poll(() => page.url()).toBe(`${site.url}/consumers?status=blocked`);
});

test('Retry all retries the consumers of the group, a few at a time, shows its progress, and names a consumer whose retry was refused', async () => {
  const other = accra[FAILING - 1]!;
  await block(other, 500); // another cause, so another line
  refusing = accra[1]!;
  let open = (): void => undefined;
  gate = new Promise((resolve) => (open = resolve));
  const { tab, page } = await openOverview();
  await using _ = tab;
  await expect.poll(() => groups(page).count()).toBe(2);
  const group = groups(page).filter({ hasText: 'HTTP 503' });
  await group.getByRole('button', { name: 'Retry all' }).click();
  const dialog = page.getByRole('dialog', { name: 'Retry 4 consumers of Warehouse Accra now?' });
  await dialog.getByRole('button', { name: 'Retry 4 consumers' }).click();
  await dialog.getByText('0 of 4 consumers done').waitFor();
  await expect.poll(() => given.underWay).toBe(3);
  open();
  await page
    .getByText('3 consumers retried; nothing waits. Failed for 1 consumer: accra 1: It is busy')
    .waitFor();
  expect(given.most).toBe(3);
  expect(given.verbs).toEqual(['retry', 'retry', 'retry']);
  expect(new Set(given.ids)).toEqual(new Set([accra[0], accra[2], accra[3]]));
  expect(given.ids).toHaveLength(3);
  refusing = null;
});

test('Pause all pauses every consumer that sends to the target, and Test sends the target a webhook', async () => {
  given.ids = [];
  given.verbs = [];
  const { tab, page } = await openOverview();
  await using _ = tab;
  const group = groups(page).filter({ hasText: 'HTTP 503' });
  await group.getByRole('button', { name: 'Test' }).click();
  await page.getByText(`Test webhook to ${receiver.url}: delivered, HTTP 20`).waitFor();
  expect(receiver.received).toHaveLength(1);
  await group.getByRole('button', { name: 'Pause all' }).click();
  const dialog = page.getByRole('dialog', { name: 'Pause 6 consumers of Warehouse Accra?' });
  await dialog.getByRole('button', { name: 'Pause 6 consumers' }).click();
  await page.getByText('Paused: 6 consumers.').waitFor();
  expect(new Set(given.ids)).toEqual(new Set(accra));
  expect(given.ids).toHaveLength(accra.length);
  expect(new Set(given.verbs)).toEqual(new Set(['pause']));
});

test('for a trouble of a single consumer, Pause pauses that one alone, and says so', async () => {
  given.ids = [];
  given.verbs = [];
  const { tab, page } = await openOverview();
  await using _ = tab;
  const group = groups(page).filter({ hasText: 'HTTP 500' });
  await group.getByRole('button', { name: 'Retry', exact: true }).waitFor();
  const text = `accra ${FAILING - 1} 1 of 6 consumers of Warehouse Accra HTTP 500, failing since 2026-11-23 12:03 UTC, next attempt `;
  await expect.poll(async () => (await group.innerText()).replaceAll(/\s+/gu, ' ')).toContain(text);
  await group.getByRole('button', { name: 'Pause', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Pause 1 consumer of Warehouse Accra?' });
  await dialog.getByText('No new requests start').waitFor();
  await dialog.getByRole('button', { name: 'Pause', exact: true }).click();
  await page.getByText('Paused: 1 consumer.').waitFor();
  expect(given).toMatchObject({ ids: [accra[FAILING - 1]], verbs: ['pause'] });
});

test("consumers that can't send are counted and listed, and shown as a trouble of their target", async () => {
  const other = accra[FAILING]!;
  await sql(
    `insert into start_faults (consumer_id, code, detail, since, next_try_at, is_crash)
     values ($1, 'credentials_unreadable', 'The credentials cannot be read', now(), now(), false)`,
    [other],
  );
  const { tab, page } = await openOverview();
  await using _ = tab;
  const strip = page.getByRole('navigation', { name: 'States' });
  await strip.getByRole('link', { name: "1 can't send" }).click();
  await page.getByRole('link', { name: "Clear the filter: that can't send" }).waitFor();
  await expect.poll(() => page.getByRole('row').count()).toBe(2);
  await page
    .getByRole('row')
    .getByRole('link', { name: `accra ${FAILING}` })
    .waitFor();
  await openPage(page, `${site.url}/`);
  const group = groups(page).filter({ hasText: 'The credentials cannot be read' });
  await group.getByRole('link', { name: "Open the target's credentials" }).click();
  await page.waitForURL(/\/targets\/[^?]*\?tab=settings$/u);
  for (const [act, verb] of [
    ['Retry', 'retry'],
    ['Pause', 'pause'],
  ] as const) {
    given.ids = [];
    given.verbs = [];
    await openPage(page, `${site.url}/`);
    await group.getByRole('button', { name: act, exact: true }).click();
    const dialog = page.getByRole('dialog', { name: `${act} 1 consumer of Warehouse Accra` });
    await dialog.getByRole('button', { name: act, exact: true }).click();
    await expect.poll(() => given).toMatchObject({ ids: [other], verbs: [verb] });
  }
  await openPage(page, `${site.url}/`);
  await group.getByRole('link', { name: '1 of 6 consumers' }).click();
  await expect.poll(() => new URL(page.url()).searchParams.get('has')).toBe('cannot_start');
  await expect.poll(() => page.getByRole('row').count()).toBe(2);
  await openPage(page, `${site.url}/consumers`);
  const only = page.getByRole('navigation', { name: 'Filters' });
  await only.getByRole('link', { name: "that can't send" }).click();
  await expect.poll(() => page.getByRole('row').count()).toBe(2);
  await sql('delete from start_faults');
});

test('charts and lists show the attempts of all consumers, and the range is part of the address', async () => {
  const { rows } = await opened.api.db.query<{ at: string }>(
    `select date_trunc('minute', now()) as at`,
  );
  const at = (minutes: number): string =>
    new Date(Date.parse(rows[0]!.at) - minutes * MINUTE_MS).toISOString();
  await sql('truncate attempt_minutes, attempt_hours, attempt_points, attempt_ranges');
  await sql(`insert into attempt_minutes values ($1, 0, 0, '{}', '{}', 0, 0)`, [at(200)]);
  for (const [id, minutes, many] of [
    [accra[5], 10, 90],
    [accra[0], 180, 10],
  ] as const) {
    await sql(
      `insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status, entries, low, high, oldest)
       select $1, $2, array_agg(n), array_agg(0), array_agg(12), array_agg(200), $3, 1, $3, 0
         from generate_series(1, $3::int) n`,
      [id, at(minutes), many],
    );
  }
  await sql(
    `insert into attempts (id, consumer_id, position, message_id, attempt, started_at, duration_ms, outcome, stored_at)
     select gen_random_uuid(), $1, n, 'm', 1, $2, 700, 'failed', $2 from generate_series(1, 10) n`,
    [accra[0], at(10)],
  );
  await countAttempts(opened.api.db);
  const { tab, page } = await openOverview();
  await using _ = tab;
  await page.getByText(/^Since \d\d:00 UTC: 90 delivered, 10 failed \(10 %\)/u).waitFor();
  for (const title of [
    'Attempts per minute',
    'Failure rate',
    'Response times',
    'Appended per minute',
    'Total lag',
  ]) {
    const chart = page.locator('figure').filter({ hasText: title });
    await expect.poll(() => chart.locator('canvas').count(), { message: title }).toBe(1);
  }
  const rates = page.locator('figure').filter({ hasText: 'Failure rate' });
  await rates.getByText('Show as table').click();
  await rates.getByRole('cell', { name: '10 %', exact: true }).waitFor();
  const answers = page.locator('figure').filter({ hasText: 'Response times' });
  await answers.getByText('Show as table').click();
  await answers.getByRole('cell', { name: '12 ms', exact: true }).waitFor();
  await page.getByRole('list', { name: 'Busiest' }).getByText('90 delivered').waitFor();
  await page.getByRole('list', { name: 'Most failing' }).getByText('10 failed').waitFor();
  const slowest = page.getByRole('list', { name: 'Slowest targets' });
  await slowest.getByText(/^\d+ ms \(1[01]0 attempts\)$/u).waitFor();
  await slowest.getByRole('link', { name: 'Warehouse Accra' }).waitFor();
  await page.getByRole('button', { name: '6h' }).click();
  await page.getByText(/^Since .*: 100 delivered, 10 failed \(9\.1 %\)/u).waitFor();
  expect(page.url()).toBe(`${site.url}/?range=6h`);
  await page.reload();
  await page.getByText(/^Since .*: 100 delivered/u).waitFor();
});

test('at 400 pixels the numbers and the troubles come first, and nothing is wider than the screen', async () => {
  const { tab, page } = await openOverview(400);
  await using _ = tab;
  await page.getByText(/^Since|^No attempts/u).waitFor();
  const top = async (name: string): Promise<number> =>
    (await page.getByRole('heading', { name }).boundingBox())!.y;
  const strip = (await page.getByRole('navigation', { name: 'States' }).boundingBox())!.y;
  expect(strip).toBeLessThan(await top('Trouble'));
  await expect.poll(() => top('Trouble')).toBeLessThan(800);
  await expect.poll(() => top('Trouble')).toBeLessThan(await top('All deliveries'));
  await expect.poll(() => top('All deliveries')).toBeLessThan(await top('Busiest'));
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(400);
});

test('a healthy installation is shown as healthy, not as a blank page', async () => {
  await sql(`update consumers set status = 'active', failing_since = null`);
  await sql(`update cursors set head = null, last_failure = null`);
  const { tab, page } = await openOverview();
  await using _ = tab;
  await page.getByText('No endpoint fails, and no consumer is stopped.').waitFor();
  await page.getByText('No entry is parked, and there are no dead letters.').waitFor();
  await page.getByText('Last alerts').waitFor();
  await page.getByText('Last changes').waitFor();
  await page.getByRole('list', { name: 'Parts' }).getByText('Outbox').waitFor();
  await expect.poll(() => stripOf(page)).toMatchObject({ active: '7', blocked: '0' });
});

test('a part that does not answer is named, and only Postgres takes the figures with it', async () => {
  const { tab, page } = await openOverview();
  await using _ = tab;
  const said = async (): Promise<string[]> => {
    const items = page.getByRole('list', { name: 'Parts' }).getByRole('listitem');
    await items.first().waitFor();
    const texts = await items.allInnerTexts();
    return texts.map((text) => text.replaceAll(/[^\p{L}\p{N},.]+/gu, ' ').trim());
  };
  const strip = page.getByRole('navigation', { name: 'States' });
  const guide = page.getByRole('link', { name: 'What happens meanwhile, and what to do' });
  const first = async (): Promise<string> => (await said()).slice(0, 3).join(', ');
  await expect.poll(first).toBe('Postgres answers, Temporal answers, Worker answers');
  await expect.poll(async () => (await said()).join()).toContain('Outbox');
  await expect.poll(async () => [await strip.count(), await guide.count()]).toEqual([1, 0]);
  away = 'worker';
  await openPage(page, `${site.url}/`);
  await expect.poll(first).toBe('Postgres answers, Temporal answers, Worker does not answer');
  await expect.poll(async () => [await strip.count(), await guide.count()]).toEqual([1, 1]);
  away = 'database';
  await openPage(page, `${site.url}/`);
  await expect.poll(first).toBe('Postgres does not answer, Temporal answers, Worker answers');
  expect((await said()).join()).not.toContain('Outbox');
  expect(await strip.count()).toBe(0);
  await page.getByRole('heading', { name: 'Trouble' }).waitFor();
  away = null;
});

test('how long and how much waits says where it is an upper bound', async () => {
  const [id] = accra;
  await sql('truncate lag_samples');
  await opened.append('s', 3);
  await sql(`update events set event_inserted_at = now() - interval '3 days'`);
  await sql(`update consumers set updated_at = now() - interval '1 hour' where id = $1`, [id]);
  const sample = `
    insert into lag_samples (consumer_id, at, entries, exact, oldest)
    values ($1, date_trunc('minute', now()), 2, $2, now() - interval '2 hours')`;
  await sql(sample, [id, false]);
  const { tab, page } = await openOverview();
  await using _ = tab;
  const most = page.getByRole('list', { name: 'Most lag' });
  await most.getByRole('link', { name: 'up to 2 waiting' }).waitFor();
  await expect.poll(() => stripOf(page)).toMatchObject({ 'oldest lag': 'up to 2 h' });
  await sql('truncate lag_samples');
  await sql(sample, [id, true]);
  await openPage(page, `${site.url}/`);
  await most.getByRole('link', { name: '2 waiting', exact: true }).waitFor();
  await expect.poll(() => stripOf(page)).toMatchObject({ 'oldest lag': '2 h' });
});
