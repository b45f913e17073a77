import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { consumersText, countOf, ownNotes } from '../../src/console/targets/healthText.ts';
import { newId } from '../../src/db/ids.ts';
import type { CommandRequest } from '../../src/rules/command.ts';
import { countAttempts } from '../../src/telemetry/attemptTotals.ts';
import { browserOfFile } from '../support/browser.ts';
import { openPage, showTimes } from '../support/consolePage.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { openReceiver, type TestReceiver } from '../support/receiver.ts';
import { serve, type Served } from '../support/serve.ts';

const MINUTE_MS = 60_000;
const SINCE = '2026-11-23T12:03:00Z';

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;
let receiver: TestReceiver;
let target: string;
/** Its consumers: two that fail alike, one that was stopped, one that sends. */
const ids: string[] = [];
/** The commands that were given in the place of Temporal. */
let given: [verb: string, id: string][] = [];
/** The failed attempt of the first one. */
const failed = newId();

beforeAll(async () => {
  opened = await openConsumersApi({ commands: { give: take } });
  site = await serve(opened.api);
  receiver = await openReceiver();
  const made = await opened.api.request('POST', '/v1/targets', {
    name: 'Warehouse Accra',
    base_url: receiver.url,
  });
  target = made.body.id;
  for (const name of ['first', 'second', 'third', 'fourth']) {
    ids.push((await opened.create({ name, target_id: target })).id as string);
  }
  await block(ids[0]!);
  await block(ids[1]!);
  await sql(
    `update consumers set status = 'stopped', failing_since = $2, status_reason = 'the endpoint answered 410 Gone' where id = $1`,
    [ids[2], SINCE],
  );
  await opened.append('s', 3);
  await past();
});
afterAll(async () => {
  await receiver[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

function take(id: string, { command }: CommandRequest) {
  given.push([command.kind, id]);
  return Promise.resolve({ ok: true, version: 2 } as const);
}

async function sql(text: string, values: unknown[] = []): Promise<void> {
  await opened.api.db.query({ text, values });
}

async function block(id: string): Promise<void> {
  const failure = { code: 'HTTP_5XX', status: 503, detail: 'HTTP 503', at: SINCE, since: SINCE };
  await opened.setCursor(
    id,
    `head = 1, attempt = 3, schedule_from = '${SINCE}', next_attempt_at = now() + interval '1 hour',
     last_failure = '${JSON.stringify(failure)}'`,
  );
  await sql(`update consumers set status = 'blocked', failing_since = $2 where id = $1`, [
    id,
    SINCE,
  ]);
}

/** Ten minutes ago the fourth delivered 90 entries and the first failed with one; three hours ago ten were delivered. */
async function past(): Promise<void> {
  const { rows } = await opened.api.db.query<{ at: string }>(
    `select date_trunc('minute', now()) as at`,
  );
  const at = (minutes: number): string =>
    new Date(Date.parse(rows[0]!.at) - minutes * MINUTE_MS).toISOString();
  await sql(`update consumers set created_at = now() - interval '1 day'`);
  await sql('truncate attempt_minutes, target_minutes');
  await sql(`insert into attempt_minutes values ($1, 0, 0, '{}', '{}', 0, 0, true)`, [at(200)]);
  for (const [minutes, many] of [
    [10, 90],
    [180, 10],
  ] as const) {
    await sql(
      `insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status, entries, low, high, oldest)
       select $1, $2, array_agg(n), array_agg($4::bigint), array_agg(12), array_agg(200), $3, 1, $3, 0
         from generate_series(1, $3::int) n`,
      [ids[3], at(minutes), many, Date.parse(at(minutes)) - 1_000],
    );
  }
  await sql(
    `insert into attempts (id, consumer_id, position, message_id, attempt, started_at, duration_ms, outcome, status, error_code, stored_at)
     values ($1, $2, 1, 'm', 1, $3, 700, 'failed', 503, 'HTTP_5XX', $3)`,
    [failed, ids[0], at(9)],
  );
  await countAttempts(opened.api.db);
}

async function openTarget(options: { width?: number; query?: string } = {}) {
  const { width = 1280, query = '' } = options;
  const tab = await openTab({ viewport: { width, height: 800 } });
  const { page, context } = tab;
  await showTimes(page, 'utc');
  await site.signIn(context);
  await openPage(page, `${site.url}/targets/${target}${query}`);
  return { tab, page };
}

const deliveries = (page: Page) => page.getByRole('table', { name: 'deliveries' });

test('the page begins with the health of the target: the status of its consumers, and each cause with its code, its beginning and the consumers concerned', async () => {
  const { tab, page } = await openTarget();
  await using _ = tab;
  await page
    .getByText(
      '1 of its 4 consumers sends: 2 blocked, 1 stopped. 12 entries wait: 3, 3, 3 and 3. Nothing is lost.',
    )
    .waitFor();
  const troubles = page.getByRole('list', { name: 'Troubles' }).getByRole('listitem');
  await expect.poll(() => troubles.count()).toBe(2);
  const [stopped, blocked] = (await troubles.allInnerTexts()).map((text) =>
    text.replaceAll(/\s+/gu, ' '),
  );
  expect(stopped).toContain('third 1 of 4 consumers');
  expect(stopped).toContain(
    'the endpoint answered 410 Gone, failing since 2026-11-23 12:03 UTC. Nothing is sent until it is resumed.',
  );
  expect(blocked).toContain(
    '2 of 4 consumers (first, second): HTTP 503, failing since 2026-11-23 12:03 UTC',
  );
  expect(blocked).toContain('gives up 2026-11-24 12:03 UTC and then stops');
  const top = async (name: string): Promise<number> =>
    (await page.getByRole('heading', { name }).boundingBox())!.y;
  await expect.poll(() => top('Health')).toBeLessThan(await top('Over time'));
  const settings = await page.getByRole('tab', { name: 'Settings' }).boundingBox();
  expect(settings!.y).toBeLessThan(await top('Over time'));
  await expect.poll(() => top('Over time')).toBeLessThan((await deliveries(page).boundingBox())!.y);
  expect(await page.getByLabel('Base URL').count()).toBe(0); // the form is not in the way
  await page.getByRole('tab', { name: 'Settings' }).click();
  await page.getByLabel('Base URL').waitFor();
  expect(await page.getByRole('heading', { name: 'Over time' }).count()).toBe(0); // nor are the charts
});

test('charts show the attempts of all its consumers over the chosen time, which is part of the address', async () => {
  const { tab, page } = await openTarget();
  await using _ = tab;
  await page.getByText('In the last 7 days: 100 delivered').waitFor(); // as it has failed for days
  await page.getByRole('button', { name: '1h' }).click();
  await page.getByText('In the last hour: 90 delivered, 1 failed (1.1 %).').waitFor();
  for (const title of ['Attempts per minute', 'Response times']) {
    const chart = page.locator('figure').filter({ hasText: title });
    await expect.poll(() => chart.locator('canvas').count(), { message: title }).toBe(1);
  }
  const answers = page.locator('figure').filter({ hasText: 'Response times' });
  await answers.getByText('Show as table').click();
  await answers.getByRole('cell', { name: '12 ms', exact: true }).first().waitFor();
  await page.getByRole('button', { name: '6h' }).click();
  await page.getByText('In the last 6 hours: 100 delivered, 1 failed (1 %).').waitFor();
  expect(page.url()).toBe(`${site.url}/targets/${target}?range=6h`);
});

test("the latest deliveries of all its consumers are one list; each names its consumer, is titled as on the consumer's page, and opens", async () => {
  const { tab, page } = await openTarget();
  await using _ = tab;
  const first = deliveries(page).getByRole('row').nth(1);
  await expect
    .poll(() => first.innerText())
    .toMatch(/^[\da-f-]{36}\s+created · a:b\s+first\s+\S+\s+failed\s+503 HTTP_5XX\s/u);
  await deliveries(page).getByRole('link', { name: 'fourth' }).first().waitFor();
  await deliveries(page)
    .getByText(/^position \d+, not kept$/u)
    .first()
    .waitFor();
  await page.getByLabel('Outcome').selectOption('failed');
  await expect.poll(() => deliveries(page).getByRole('row').count()).toBe(2);
  expect(page.url()).toContain('outcome=failed');
  await deliveries(page)
    .getByRole('button', { name: /created · a:b/u })
    .click();
  await page.getByRole('dialog').getByText('503 at position 1').waitFor();
  expect(page.url()).toContain(`delivery=${failed}`);
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.getByLabel('HTTP status').fill('404');
  await page.getByText('No deliveries match').waitFor();
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await deliveries(page).getByRole('link', { name: 'first' }).click();
  await page.getByRole('heading', { level: 1, name: /first/u }).waitFor();
});

test('its deliveries are found by record, as on the page of a consumer; an address of a delivery that is not listed says so', async () => {
  const { rows } = await opened.api.db.query<{ upstream_id: string }>(
    'select upstream_id from events where position = 1',
  );
  const record = rows[0]!.upstream_id;
  const { tab, page } = await openTarget({ query: `?record=${record}&delivery=${newId()}` });
  await using _ = tab;
  await page.getByText('is not among those read so far').waitFor();
  const found = deliveries(page).getByRole('row').filter({ hasText: record });
  await expect.poll(() => found.count()).toBe(3); // one of the first, and two of the fourth
  await expect.poll(() => deliveries(page).getByRole('row').count()).toBe(4);
  await expect.poll(() => page.getByLabel('Record', { exact: true }).inputValue()).toBe(record);
  await page.getByLabel('Record', { exact: true }).fill('nothing-of-this-name');
  await page.waitForURL(/[?&]record=nothing-of-this-name/u);
  await page.getByText('No deliveries match').waitFor();
});

test('its consumers are listed with their status, their lag and their last delivery', async () => {
  const { tab, page } = await openTarget();
  await using _ = tab;
  await page.getByRole('tab', { name: 'Consumers (4)' }).click();
  const table = page.getByRole('table', { name: 'consumers' });
  await expect.poll(() => table.getByRole('row').count()).toBe(5);
  const row = (name: string) => table.getByRole('row').filter({ hasText: name });
  await row('fourth')
    .getByText(/20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC/u)
    .waitFor();
  await expect.poll(() => row('fourth').innerText()).toContain('active');
  await expect.poll(() => row('third').innerText()).toContain('stopped');
  await expect.poll(() => row('second').getByRole('cell').nth(3).innerText()).toBe('–');
  await expect.poll(() => row('second').getByRole('cell').nth(2).innerText()).toMatch(/^3\s/u); // its lag
});

test('a test webhook is sent from the top of the page, and everything that is needed to verify is on a tab', async () => {
  const { tab, page } = await openTarget({ query: '?tab=verify' });
  await using _ = tab;
  await page.getByText('npm install standardwebhooks').waitFor();
  await page.getByRole('tab', { name: 'Python' }).click();
  await page.getByText('pip install standardwebhooks').waitFor();
  await page.getByRole('button', { name: 'Send test webhook' }).click();
  await page.getByRole('status').getByText('delivered').waitFor();
  expect(receiver.received).toHaveLength(1);
});

test('its consumers are retried, resumed and paused together from the top of the page, each command for those alone that it concerns', async () => {
  const { tab, page } = await openTarget();
  await using _ = tab;
  for (const [button, kind, concerned, title] of [
    ['Retry all', 'retry', [0, 1], 'Retry 2 consumers of Warehouse Accra now?'],
    ['Resume all', 'resume', [2], 'Resume 1 consumer of Warehouse Accra?'],
    ['Pause all', 'pause', [0, 1, 3], 'Pause 3 consumers of Warehouse Accra?'],
  ] as const) {
    given = [];
    await page.getByRole('button', { name: button }).click();
    const dialog = page.getByRole('dialog', { name: title });
    const confirmed = title.slice(0, title.indexOf(' of '));
    await dialog.getByRole('button', { name: confirmed }).click();
    await dialog.waitFor({ state: 'detached' });
    expect(new Set(given.map(([, id]) => id))).toEqual(new Set(concerned.map((n) => ids[n])));
    expect(new Set(given.map(([verb]) => verb))).toEqual(new Set([kind]));
    expect(given).toHaveLength(concerned.length);
  }
});

test('resuming all says how many of them were paused by someone', async () => {
  await sql(
    `update consumers set status = 'paused', status_reason = 'paused by me' where id = $1`,
    [ids[3]],
  );
  const { tab, page } = await openTarget();
  await using _ = tab;
  await page.getByRole('button', { name: 'Resume all' }).click();
  const dialog = page.getByRole('dialog', { name: 'Resume 2 consumers of Warehouse Accra?' });
  await dialog.getByText('1 of them was paused by someone, and is resumed as well.').waitFor();
  const resume = dialog.getByRole('button', { name: 'Resume 2 consumers' });
  await expect.poll(() => resume.isEnabled()).toBe(true);
  await sql(`update consumers set status = 'active', status_reason = null where id = $1`, [ids[3]]);
});

test('at 400 pixels health and buttons come first, then deliveries, then charts, and nothing is wider than the screen', async () => {
  const { tab, page } = await openTarget({ width: 400 });
  await using _ = tab;
  await deliveries(page).waitFor();
  const top = async (found: ReturnType<Page['locator']>): Promise<number> =>
    (await found.boundingBox())!.y;
  const health = await top(page.getByRole('heading', { name: 'Health' }));
  const list = await top(deliveries(page));
  expect(health).toBeLessThan(400);
  expect(health).toBeLessThan(list);
  expect(list).toBeLessThan(await top(page.getByRole('heading', { name: 'Over time' })));
  await deliveries(page).getByRole('row').nth(1).getByRole('link', { name: 'first' }).waitFor();
  await page.getByRole('button', { name: 'Show older deliveries' }).click();
  await page.getByRole('tab', { name: /Consumers/u }).click();
  await page.getByRole('table', { name: 'consumers' }).waitFor();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(400);
});

test('a target without consumers says so, and offers no commands for all of them', async () => {
  const made = await opened.api.request('POST', '/v1/targets', {
    name: 'Lonely',
    base_url: 'https://example.com',
  });
  const tab = await openTab();
  await using _ = tab;
  await site.signIn(tab.context);
  await openPage(tab.page, `${site.url}/targets/${made.body.id}`);
  await tab.page.getByText('No consumer sends to it yet.').waitFor();
  await tab.page.getByText('Nothing has been sent yet').waitFor();
  await tab.page.getByRole('button', { name: 'Add new' }).click();
  await tab.page.getByRole('menuitem', { name: 'Webhooks', exact: true }).waitFor();
  await tab.page.keyboard.press('Escape');
  expect(await tab.page.getByRole('button', { name: /all$/u }).count()).toBe(0);
  await tab.page.getByText(/^No attempts in the last hour/u).waitFor();
});

test('deleting a target that is used is refused in its dialog, which begins anew when it is opened again', async () => {
  const tab = await openTab({ expected: [/409/u] });
  await using _ = tab;
  const { page } = tab;
  await site.signIn(tab.context);
  await openPage(page, `${site.url}/targets/${target}?tab=settings`);
  const ask = page.getByRole('button', { name: 'Delete', exact: true });
  const dialog = page.getByRole('dialog', { name: 'Delete Warehouse Accra?' });
  await ask.click();
  await dialog.getByRole('button', { name: 'Delete', exact: true }).click();
  await dialog
    .getByRole('alert')
    .getByText(/is used by/u)
    .waitFor();
  await dialog.getByRole('link', { name: 'About this error' }).waitFor();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await dialog.waitFor({ state: 'detached' });
  await ask.click();
  await dialog.waitFor();
  expect(await dialog.getByRole('alert').count()).toBe(0);
});

/** Active, paused, blocked and stopped ones; then how many of the active and of the blocked can't send. */
test.each([
  [[0, 0, 0, 0, 0, 0], 'No consumer sends to it yet.'],
  [[1, 0, 0, 0, 0, 0], 'Its only consumer is sending.'],
  [[6, 0, 0, 0, 0, 0], 'All 6 of its consumers are sending.'],
  [[0, 1, 0, 0, 0, 0], 'Its only consumer is paused.'],
  [[0, 0, 1, 0, 0, 0], 'Its only consumer is blocked.'],
  [[0, 0, 0, 1, 0, 0], 'Its only consumer is stopped.'],
  [[4, 2, 0, 0, 0, 0], '4 of its 6 consumers send: 2 paused.'],
  [[1, 0, 2, 1, 0, 0], '1 of its 4 consumers sends: 2 blocked, 1 stopped.'],
  [[0, 1, 1, 0, 0, 0], 'None of its 2 consumers send: 1 paused, 1 blocked.'],
  [[0, 2, 0, 0, 0, 0], 'None of its 2 consumers send: 2 paused.'],
  [[1, 0, 0, 0, 1, 0], "Its only consumer can't send."],
  [[0, 0, 1, 0, 0, 1], "Its only consumer can't send."],
  [[2, 0, 0, 0, 1, 0], "1 of its 2 consumers sends: 1 can't send."],
  [[2, 0, 0, 0, 2, 0], 'None of its 2 consumers can send.'],
  [[1, 0, 1, 0, 1, 1], 'None of its 2 consumers can send.'],
  [[3, 0, 2, 0, 1, 1], "2 of its 5 consumers send: 1 blocked, 2 can't send."],
  [[1, 1, 0, 1, 1, 0], "None of its 3 consumers send: 1 paused, 1 stopped, 1 can't send."],
] as const)(
  'of %j consumers it says: %s',
  ([active, paused, blocked, stopped, ofActive, ofBlocked], text) => {
    const cannot_start = { active: ofActive, blocked: ofBlocked };
    const consumers = { active, paused, blocked, stopped, cannot_start };
    expect(consumersText({ consumers, unreadable: [] })).toBe(text);
    expect(countOf(consumers)).toBe(active + paused + blocked + stopped);
  },
);

test('while a secret of the target cannot be read none of its consumers sends, tried or not', () => {
  const none = { active: 0, paused: 0, blocked: 0, stopped: 0 };
  const cannot_start = { active: 0, blocked: 0 };
  const say = (some: Partial<typeof none>): string =>
    consumersText({ consumers: { ...none, ...some, cannot_start }, unreadable: ['credentials'] });
  expect(say({})).toBe('No consumer sends to it yet.');
  expect(say({ active: 1 })).toBe("Its only consumer can't send.");
  expect(say({ active: 2, blocked: 1 })).toBe('None of its 3 consumers can send.');
  expect(say({ active: 2, paused: 1 })).toBe(
    "None of its 3 consumers send: 1 paused, 2 can't send.",
  );
});

test('notes on its health that count consumers are left out, because the sentence above has them', () => {
  const own = "The encryption key of the target's credentials does not open them";
  const notes = [own, '1 of its consumers is stopped', '12 of its consumers are blocked'];
  expect(ownNotes({ health: { status: 'error', notes, time: SINCE } })).toEqual([own]);
});
