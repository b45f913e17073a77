import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import { cursorOf } from '../../src/streams/cursor.ts';
import { browserOfFile } from '../support/browser.ts';
import { openPage, showTimes } from '../support/consolePage.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { accept, answer, openReceiver } from '../support/receiver.ts';
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

/** A blocked consumer that two of seven entries match, which answered 503 from 11:52 on and 401 from 11:54 on. */
async function blocked(name: string): Promise<string> {
  const start = await opened.append('other');
  const { id } = await opened.create({
    name,
    path: '/v2',
    syncs: [name],
    start: { cursor: cursorOf('events', start) },
  });
  await opened.append(name, 2);
  await opened.append('other', 5);
  await sql(
    `update consumers set status = 'blocked', status_reason = 'HTTP_5XX: HTTP 503',
                          failing_since = '2026-11-23T11:52:00Z' where id = $1`,
    [id],
  );
  const failure = {
    code: 'HTTP_4XX',
    status: 401,
    detail: 'HTTP 401',
    at: '2026-11-23T12:10:00Z',
    since: '2026-11-23T11:54:00Z',
  };
  const plan = `attempt = 3, next_attempt_at = '2026-11-23T12:40:00Z'`;
  await opened.setCursor(
    id,
    `head = ${start + 1}, ${plan}, last_failure = '${JSON.stringify(failure)}'`,
  );
  return id;
}

async function sql(text: string, values: unknown[] = []): Promise<void> {
  await opened.api.db.query({ text, values });
}

async function openSigned(path: string, options: { times?: string; zone?: string } = {}) {
  const { times, zone } = options;
  const tab = await openTab({ ...(zone !== undefined && { timezoneId: zone }) });
  const { page, context } = tab;
  if (times !== undefined) await showTimes(page, times);
  await site.signIn(context);
  await openPage(page, `${site.url}${path}`);
  return { tab, page };
}

test('list and page count the same entries, and the time of the newest failure is distinct from the time since when it fails', async () => {
  const id = await blocked('counted');
  await opened.create(); // with one consumer alone, the overview leads to its first delivery
  const { tab, page } = await openSigned('/', { times: 'utc' });
  await using _ = tab;
  const sentence =
    'Answered HTTP 401 since 2026-11-23 11:54 UTC, failing since 2026-11-23 11:52 UTC; ' +
    'next attempt 2026-11-23 12:40 UTC (attempt 4); 2 entries are waiting';
  const trouble = page.getByRole('list', { name: 'Troubles' }).getByRole('listitem');
  await trouble.getByText('HTTP 401').waitFor();
  await expect.poll(() => trouble.innerText()).toContain('since 2026-11-23 11:54 UTC');
  await openPage(page, `${site.url}/consumers?q=counted`);
  const row = page.getByRole('row').filter({ hasText: 'counted' });
  await row.getByText(sentence).waitFor();
  await expect
    .poll(async () => (await row.getByRole('cell').nth(5).innerText()).split('\n')[0])
    .toBe('2');
  await openPage(page, `${site.url}/consumers/${id}`);
  const band = page.getByRole('region', { name: 'Why it does not send' });
  await band.getByText('Answered HTTP 401').waitFor();
  const facts = [
    'Since 2026-11-23 11:54:00 UTC',
    'Failing since 2026-11-23 11:52:00 UTC',
    'Next attempt now',
    'Gives up and stops 2026-11-24 11:52:00 UTC',
    'Waiting 2 entries',
  ];
  const said = async (): Promise<string> => (await band.innerText()).replaceAll(/\s+/gu, ' ');
  await expect.poll(said).toContain(`HTTP_4XX ${facts.join(' ')} Retry now`);
  await page.getByText('https://example.com/hooks/v2').waitFor();
});

test.each([
  ['local', '2026-11-23 06:54'],
  ['utc', '2026-11-23 11:54 UTC'],
] as const)(
  'times in sentences and in the tables of charts are in the form %s, wherever the browser is',
  async (times, since) => {
    const id = await blocked(`form ${times}`);
    const { tab, page } = await openSigned(`/consumers/${id}`, {
      times,
      zone: 'America/New_York',
    });
    await using _ = tab;
    const band = page.getByRole('region', { name: 'Why it does not send' });
    await band.getByText(since.slice(0, 16)).first().waitFor();
    await page.getByRole('button', { name: '1h', exact: true }).click();
    await page.getByText('Show as table').first().click();
    const cell = page
      .getByRole('region', { name: /as a table$/u })
      .locator('tbody tr')
      .last();
    /** The table is of the last 24 hours until the last hour has been read. */
    const ago = async (): Promise<number> => {
      const shown = await cell.locator('td').first().innerText();
      const wrote = times === 'utc' ? `${shown.slice(0, 16)}Z` : `${shown}${zoneOf(shown)}`;
      return Math.abs(Date.parse(wrote.replace(' ', 'T')) - Date.now());
    };
    await expect.poll(ago).toBeLessThan(120_000);
  },
);

test('times are typed in the form in which they are shown', async () => {
  const { id } = await opened.create({ name: 'typed in UTC' });
  const { tab, page } = await openSigned(`/consumers/${id}?since=2026-11-23T11:54:00.000Z`, {
    times: 'utc',
    zone: 'America/New_York',
  });
  await using _ = tab;
  const from = page.getByLabel('From, in UTC');
  await expect.poll(() => from.inputValue()).toMatch(/^2026-11-23T11:54/u);
  await from.fill('2026-11-23T10:00:05');
  await page.waitForURL((url) => url.searchParams.get('since') === '2026-11-23T10:00:05.000Z');
  await page.getByRole('button', { name: 'Seek' }).click();
  await page.getByLabel('To', { exact: true }).selectOption('time');
  const typed = await page.getByLabel('Time, in UTC').inputValue();
  const ago = Date.now() - Date.parse(`${typed}Z`);
  expect(Math.abs(ago - 3_600_000)).toBeLessThan(180_000);
});

/** New York's distance from UTC on a day, such as `-05:00`. */
function zoneOf(day: string): string {
  const name = new Intl.DateTimeFormat('en', {
    timeZone: 'America/New_York',
    timeZoneName: 'longOffset',
  })
    .formatToParts(new Date(`${day.slice(0, 10)}T12:00:00Z`))
    .find(({ type }) => type === 'timeZoneName')?.value;
  return name?.replace('GMT', '') ?? '';
}

test('charts show nothing of the time before a consumer was created', async () => {
  const { id } = await opened.create({ name: 'young' });
  const { tab, page } = await openSigned(`/consumers/${id}`);
  await using _ = tab;
  const table = page.locator('figure').filter({ hasText: 'Lag' });
  await table.getByText('Show as table').click();
  const rows = table.locator('tbody tr');
  await expect.poll(() => rows.count()).toBeGreaterThan(50);
  const values = await rows.locator('td:nth-child(2)').allInnerTexts();
  expect(values.slice(0, -2).every((value) => value === '–')).toBe(true);
  expect(values.at(-1)).toBe('0');
});

test('only consumers with dead letters are offered, with their number', async () => {
  const { id } = await opened.create({ name: 'has letters' });
  const { id: other } = await opened.create({ name: 'had letters' });
  await sql(
    `insert into alerts (id, consumer_id, kind, detail, at, message_id)
     values ($1, $2, 'dead-letters', '{"name":"had letters","reason":"because"}', now(), null)`,
    [newId(), other],
  );
  for (const position of [1, 2]) {
    await sql(
      `insert into dead_letters (id, consumer_id, position, message_id, sync_id, collection_id, upstream_id,
                                 body, attempts, parked_at, died_at, last_failure)
       values ($1, $2, $3, 'm', 's', 'a:b', 'r', '{}', 9, now(), now(), '{"code":"HTTP_4XX","status":422,"detail":"","at":""}')`,
      [newId(), id, position],
    );
  }
  const { tab, page } = await openSigned('/dead-letters');
  await using _ = tab;
  await page
    .getByRole('listitem')
    .filter({ hasText: 'has letters' })
    .getByText('2 dead letters')
    .waitFor();
  expect(await page.getByText('had letters').count()).toBe(0);
  await openPage(page, `${site.url}/`);
  await page
    .getByRole('listitem')
    .filter({ hasText: 'has letters' })
    .getByText('2 dead letters')
    .waitFor();
  await openPage(page, `${site.url}/consumers/${id}`);
  await page.getByText('every matching entry has been sent, except 2 dead letters.').waitFor();
  const { body } = await opened.api.request('GET', '/v1/consumers?has=dead_letters');
  expect(body.data.map((one: { id: string }) => one.id)).toEqual([id]);
  expect((await opened.api.request('GET', '/v1/consumers?has=parked')).body.data).toEqual([]);
  expect((await opened.api.request('GET', '/v1/consumers?has=others')).status).toBe(400);
});

test('a test webhook shows and copies the body exactly as it was signed; it is broken into lines only where that is chosen', async () => {
  await using receiver = await openReceiver();
  const { tab, page } = await openSigned('/targets/new');
  await using _ = tab;
  await tab.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.getByLabel('Base URL').fill(receiver.url);
  await page.getByRole('button', { name: 'Send test webhook' }).click();
  const request = page.getByLabel('Request', { exact: true });
  await request.waitFor();
  const sent = receiver.received[0]?.body ?? '';
  await expect.poll(async () => (await request.innerText()).split('\n\n')[1]).toBe(sent);
  await page.getByLabel('formatted').check();
  await expect.poll(() => request.innerText()).toContain('\n{\n  "test": {\n');
  const figure = page.getByRole('figure').filter({ has: request });
  const copied = figure.getByText('Copied').waitFor(); // it says so for two seconds only
  await Promise.all([copied, figure.getByRole('button', { name: 'Copy' }).click()]);
  const copy = String(await page.evaluate('navigator.clipboard.readText()'));
  expect(copy.split('\n\n')[1]).toBe(sent);
});

test('a test webhook shows the request that was sent, and says that the form has been changed since', async () => {
  await using receiver = await openReceiver();
  const { tab, page } = await openSigned('/targets/new');
  await using _ = tab;
  await page.getByLabel('Base URL').fill(receiver.url);
  await page.getByRole('button', { name: 'Send test webhook' }).click();
  const request = page.getByLabel('Request', { exact: true });
  await request.waitFor();
  const changed = page.getByText('This was sent before the last changes.');
  expect(await changed.count()).toBe(0);
  await page.getByRole('button', { name: 'Add a header' }).click();
  await page.getByLabel('Header 1', { exact: true }).fill('x-env');
  await page.getByLabel('Value', { exact: true }).fill('staging');
  await changed.waitFor();
  expect(await request.innerText()).not.toContain('x-env');
  await page.getByRole('button', { name: 'Send test webhook' }).click();
  await expect.poll(() => request.innerText()).toContain('x-env: staging');
  expect(await changed.count()).toBe(0);
  expect(receiver.received.map(({ headers }) => headers['x-env'])).toEqual([undefined, 'staging']);
});

test('a test webhook whose sender the endpoint refuses says what to check', async () => {
  await using receiver = await openReceiver(answer(401));
  const { tab, page } = await openSigned('/targets/new');
  await using _ = tab;
  await page.getByLabel('Base URL').fill(receiver.url);
  const why = page.getByText('Check that its receiver has the signing secret');
  await page.getByRole('button', { name: 'Send test webhook' }).click();
  await why.waitFor();
  receiver.respond = accept;
  await page.getByRole('button', { name: 'Send test webhook' }).click();
  await page.getByRole('status').getByText('204', { exact: true }).waitFor();
  expect(await why.count()).toBe(0);
  expect(receiver.received.map(({ status }) => status)).toEqual([401, 204]);
});

test('a text that is being typed is marked as wrong only once it can no longer become right', async () => {
  await opened.append('s');
  const { id } = await opened.create({ name: 'typing' });
  const { tab, page } = await openSigned(`/consumers/new?target=${opened.targetId}&step=3`);
  await using _ = tab;
  await page.getByLabel('Selected collections').check();
  const search = page.getByLabel('Search collections');
  await search.fill('a');
  await page.getByRole('checkbox', { name: /^a:b/u }).waitFor();
  const refusal = page.getByText('A collection is provider:name');
  expect(await refusal.count()).toBe(0);
  await search.fill('nowhere');
  await refusal.waitFor();

  await openPage(page, `${site.url}/consumers/${id}`);
  const status = page.getByLabel('HTTP status');
  const wrong = page.getByText('Three digits, such as 503');
  for (const text of ['5', '50', '503']) {
    await status.fill(text);
    expect(await isWrong(page, status), text).toBe('false');
  }
  await status.fill('6');
  await wrong.waitFor();
});

function isWrong(page: Page, field: ReturnType<Page['getByLabel']>): Promise<string | null> {
  return page
    .evaluate('new Promise(requestAnimationFrame)')
    .then(() => field.getAttribute('aria-invalid'));
}
