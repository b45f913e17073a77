// the page of a source: how it is, its tables, its problems, its settings, and its commands
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Source } from '../../src/schema/source.ts';
import { axeFaults } from '../support/axe.ts';
import { browserOfFile, type TabOptions } from '../support/browser.ts';
import { goTo, openPage } from '../support/consolePage.ts';
import { cutTexts } from '../support/cutTexts.ts';
import { shareOf } from '../support/long.ts';
import { serve, type Served } from '../support/serve.ts';
import { createSource, openSourceSite, type Shop, type SourceSite } from '../support/sourceSite.ts';

const openTab = browserOfFile();
let site: SourceSite;
let shop: Shop;
let served: Served;
beforeAll(async () => {
  site = await openSourceSite();
  shop = await site.createShop();
  served = await serve(site.api);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
});

const BOTH = ['public.orders', 'public.users'];

/** A source that was followed a moment ago, as its follower has noted it. */
async function followed(columns?: string): Promise<Source> {
  const source = await createSource(site, { url: shop.url, tables: BOTH });
  await note(
    source.id,
    `lag_bytes = 0, lag_ms = 0, measured_at = now() + interval '1 hour', last_lsn = '0/1A2B3C4D',
     last_change_at = now()`,
  );
  if (columns !== undefined) await note(source.id, columns);
  await noteTable(source.id, 'users', `state = 'following', rows_read = 100, changes = 7`);
  await noteTable(source.id, 'orders', `state = 'following'`);
  return source;
}

async function note(id: string, columns: string): Promise<void> {
  await site.api.db.query({ text: `update sources set ${columns} where id = $1`, values: [id] });
}

async function noteTable(id: string, name: string, columns: string): Promise<void> {
  const text = `update source_tables set ${columns} where source_id = $1 and table_name = $2`;
  await site.api.db.query({ text, values: [id, name] });
}

async function tableRow(id: string, name: string) {
  const { rows } = await site.api.db.query<{ snapshot: number; is_confirmed: boolean }>({
    text: 'select snapshot, is_confirmed from source_tables where source_id = $1 and table_name = $2',
    values: [id, name],
  });
  return rows[0]!;
}

async function openSource({ id }: Pick<Source, 'id'>, query = '', options: TabOptions = {}) {
  const tab = await openTab(options);
  await served.signIn(tab.context);
  await openPage(tab.page, `${served.url}/sources/${id}${query}`);
  return { tab, page: tab.page };
}

const read = async ({ id }: Pick<Source, 'id'>): Promise<Source> =>
  (await site.api.request('GET', `/v1/sources/${id}`)).body;

async function confirm(page: Page, button: string): Promise<void> {
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: button, exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
}

test('a source that is followed shows its state, its numbers and its tables, which lead to their records', async () => {
  const source = await followed();
  const { tab, page } = await openSource(source);
  await using _ = tab;
  await page.getByText('Follows 2 tables. Everything is stored.').waitFor();
  await expect.poll(() => page.getByRole('heading', { level: 1 }).innerText()).toMatch(/active$/u);
  await expect
    .poll(() => page.getByRole('definition').filter({ hasText: '0/1A2B3C4D' }).count())
    .toBe(1);
  const users = page
    .getByRole('table', { name: 'tables' })
    .getByRole('row')
    .filter({ hasText: 'public.users' });
  await expect
    .poll(() => users.innerText())
    .toMatch(/following\s+postgres:public\.users\s+100\s+7/u);
  await page.goto(`${served.url}/sources`);
  const row = page
    .getByRole('table', { name: 'sources' })
    .getByRole('row')
    .filter({ hasText: source.name });
  await expect.poll(() => row.innerText()).toMatch(/\s2\s+●\s+active\s+0 bytes/u);
  await row.getByRole('link').click();
  await page.getByRole('link', { name: 'public.users' }).click();
  await page.waitForURL((url) => url.searchParams.get('collection') === 'postgres:public.users');
  expect(new URL(page.url()).searchParams.get('sync')).toBe(source.id);
});

test('sources are found by a part of their name', async () => {
  const { name } = await createSource(site, { url: shop.url, name: 'Unlike the others' });
  await followed();
  await using tab = await openTab();
  const { page, context } = tab;
  await served.signIn(context);
  await openPage(page, `${served.url}/sources`);
  await page.getByLabel('Search names and URLs').fill('unlike');
  await page.waitForURL(/q=unlike/u);
  const rows = page.getByRole('table', { name: 'sources' }).getByRole('row');
  await expect.poll(() => rows.count()).toBe(2);
  await expect.poll(() => rows.nth(1).innerText()).toContain(name);
  await page.getByLabel('Search names and URLs').fill('nothing like it');
  await page.getByText('No sources match').waitFor();
});

test('pausing says what becomes of the log of the database; p and r ask, and resuming goes on', async () => {
  const source = await followed(`slot_limit_bytes = 17179869184`);
  const { tab, page } = await openSource(source);
  await using _ = tab;
  await page.keyboard.press('p');
  const dialog = page.getByRole('dialog', { name: `Pause ${source.name}?` });
  await dialog.getByText('at most 16 GB of it. Beyond that the slot is lost').waitFor();
  await confirm(page, 'Pause');
  const band = page.getByRole('region', { name: 'Why it is not read' });
  await band.getByText('Paused: nothing is read').waitFor();
  expect((await read(source)).status).toBe('paused');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.keyboard.press('r');
  await confirm(page, 'Resume');
  await band.waitFor({ state: 'detached' });
  expect((await read(source)).status).toBe('active');
});

test('a source that has failed shows the reason and is resumed from there; an interrupted one says that it goes on by itself', async () => {
  const source = await followed();
  const { tab, page } = await openSource(source);
  await using _ = tab;
  await note(
    source.id,
    `status = 'failed', status_reason = 'The password for the role shop is wrong.'`,
  );
  const band = page.getByRole('region', { name: 'Why it is not read' });
  await band.getByText('The password for the role shop is wrong.').waitFor();
  await band.getByRole('button', { name: 'Open settings' }).click();
  await page.getByLabel('Database URL').waitFor();
  await band.getByRole('button', { name: 'Resume' }).click();
  await confirm(page, 'Resume');
  await band.waitFor({ state: 'detached' });
  expect((await read(source)).status).toBe('active');
  await note(source.id, `interruption = 'Nothing listens at db:5432.', interrupted_since = now()`);
  await band.getByText('Interrupted: Nothing listens at db:5432.').waitFor();
  await band.getByText('It is tried again and again').waitFor();
  await expect.poll(() => band.getByRole('button').allInnerTexts()).toEqual(['Open settings']);
  await expect
    .poll(() => page.getByRole('heading', { level: 1 }).innerText())
    .toMatch(/interrupted$/u);
});

test('a table is read again by its command, and all of them by that of the page', async () => {
  const source = await followed();
  const { tab, page } = await openSource(source);
  await using _ = tab;
  await page.getByRole('button', { name: 'Read again: public.users' }).click();
  await page.getByRole('dialog').getByText('it would ask first').waitFor();
  await confirm(page, 'Read again');
  expect((await tableRow(source.id, 'users')).snapshot).toBeGreaterThan(1);
  expect((await tableRow(source.id, 'orders')).snapshot).toBe(1);
  await page.getByText('Reads 1 of 2 tables').waitFor();
  await page.getByRole('button', { name: 'Read again', exact: true }).click();
  await page.getByRole('dialog', { name: 'Read 2 tables again?' }).waitFor();
  await confirm(page, 'Read again');
  expect((await tableRow(source.id, 'orders')).snapshot).toBeGreaterThan(1);
  // One that is gone may have been created again.
  await noteTable(source.id, 'orders', `state = 'gone'`);
  await page.getByText('public.orders is not in the database any more').waitFor();
  await page.getByRole('button', { name: 'Read again: public.orders' }).click();
  await confirm(page, 'Read again');
  await page
    .getByText('public.orders is not in the database any more')
    .waitFor({ state: 'detached' });
});

test('a table that asks says how many records would be deleted, and is confirmed without being read again', async () => {
  const source = await followed();
  const detail = '80 of its 100 records would be deleted.';
  await noteTable(source.id, 'users', `state = 'asking', detail = '${detail}'`);
  const { tab, page } = await openSource(source);
  await using _ = tab;
  const band = page.getByRole('region', { name: 'What public.users asks' });
  await band.getByText(`${detail} Until then none is deleted`).waitFor();
  await band.getByRole('button', { name: 'Delete them…' }).click();
  await page.getByRole('dialog').getByText(`${detail} Each record that is deleted`).waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  expect((await tableRow(source.id, 'users')).is_confirmed).toBe(false);
  await band.getByRole('button', { name: 'Delete them…' }).click();
  await confirm(page, 'Delete these records');
  const row = await tableRow(source.id, 'users');
  expect(row).toEqual({ snapshot: 1, is_confirmed: true });
});

test('rows that could not be turned into records are listed by table and reason', async () => {
  const source = await followed();
  await using tab = await openTab();
  const { page, context } = tab;
  await served.signIn(context);
  await openPage(page, `${served.url}/sources/${source.id}?tab=problems`);
  await page.getByText('Every row that was read has become a record.').waitFor();
  await site.api.db.query({
    text: `insert into source_problems values ($1, 'public', 'users', 'its key is empty', 1200, null, '0/10', '0/20', now(), now())`,
    values: [source.id],
  });
  await page.getByRole('button', { name: '1,200 rows could not be turned into records' }).click();
  await page.getByRole('tab', { name: 'Problems (1,200)' }).waitFor();
  const row = page.getByRole('table', { name: 'problems' }).getByRole('row').nth(1);
  await row.waitFor();
  await expect
    .poll(() => row.innerText())
    .toMatch(/public\.users\s+its key is empty\s+1,200\s+key not readable\s+0\/10 – 0\/20/u);
});

test('settings are changed without the password being shown; a table is added from a test of the connection', async () => {
  const source = await createSource(site, { url: shop.url });
  const { tab, page } = await openSource(source, '?tab=settings', { expected: [/422/u] });
  await using _ = tab;
  const url = page.getByLabel('Database URL');
  await expect.poll(() => url.inputValue()).toContain(':••••@');
  await url.fill((await url.inputValue()).replace('127.0.0.1', '127.0.0.2'));
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByText('Fill in the password again').waitFor();
  await page.getByRole('button', { name: 'Discard changes' }).click();
  await page.getByRole('button', { name: 'Test connection' }).click();
  await page.getByText('2 of 3 tables can be followed.').waitFor();
  await page.getByRole('checkbox', { name: 'public.orders' }).check();
  await page.getByLabel('Send a mail after a silence of').fill('6');
  await page.getByRole('tab', { name: 'Settings, unsaved' }).waitFor();
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByText('Saved. It applies at once, and tables that were added are read.').waitFor();
  const saved = await read(source);
  expect(saved.tables.map(({ table }) => table)).toEqual(BOTH);
  expect([saved.expect_within, saved.url]).toEqual([21_600, source.url]);
  await page.getByLabel('Search tables').fill('public.nowhere');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByText('There is no table public.nowhere.').first().waitFor();
});

test('a source whose database is away stays in the list until it is forgotten, and what to drop there is said', async () => {
  const source = await followed();
  // A read of its page may find it gone before the answer to the command is there.
  const { tab, page } = await openSource(source, '?tab=settings', {
    expected: [/404 .*\/v1\/sources\//u],
  });
  await using _ = tab;
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.getByRole('dialog').getByText(`the slot ${source.slot}`).waitFor();
  await confirm(page, 'Delete');
  await page.waitForURL(`${served.url}/sources`);
  const row = page
    .getByRole('table', { name: 'sources' })
    .getByRole('row')
    .filter({ hasText: source.name });
  await row.getByText('deleting').waitFor();
  await row.getByRole('link').click();
  const band = page.getByRole('region', { name: 'Why it is not read' });
  await band.getByText('It is being deleted').waitFor();
  await note(source.id, `interruption = 'Nothing listens at db:5432.', interrupted_since = now()`);
  await band.getByText('Nothing listens at db:5432.').waitFor();
  await band.getByRole('button', { name: 'Open settings' }).waitFor();
  expect(await page.getByRole('button', { name: 'Read again' }).count()).toBe(0);
  await band.getByRole('button', { name: 'Forget it…' }).click();
  const statements = await page.getByRole('dialog').getByLabel('Statements').innerText();
  expect(statements).toContain(`where slot_name = '${source.slot}';`);
  expect(statements).toContain(`drop publication if exists ${source.publication};`);
  await confirm(page, 'Forget it');
  await page.waitForURL(`${served.url}/sources`);
  await page.getByText('Forgotten. What it has left').waitFor();
  await row.waitFor({ state: 'detached' });
  expect((await site.api.request('GET', `/v1/sources/${source.id}`)).status).toBe(404);
});

test('a session that may only read sees a source, and why its commands are disabled', async () => {
  const source = await followed();
  const { body } = await site.api.request('POST', '/v1/api-keys', {
    name: 'reader',
    scopes: ['read'],
  });
  await using tab = await openTab();
  const { page, context } = tab;
  await context.request.post(`${served.url}/v1/session`, { data: { api_key: body.key } });
  await openPage(page, `${served.url}/sources/${source.id}`);
  const pause = page.getByRole('button', { name: 'Pause' });
  await expect.poll(() => pause.getAttribute('aria-disabled')).toBe('true');
  await page.keyboard.press('p');
  expect(await page.getByRole('dialog').count()).toBe(0);
  await page.getByRole('tab', { name: 'Settings' }).click();
  await expect.poll(() => page.getByLabel('Database URL').isDisabled()).toBe(true);
});

test('a source that has failed is a trouble of the overview', async () => {
  const source = await followed(
    `status = 'failed', status_reason = 'The disk of the moon is full.'`,
  );
  const target = await site.api.request('POST', '/v1/targets', {
    name: 't',
    base_url: 'https://a.test',
  });
  const fields = { target_id: target.body.id, stream: 'events' };
  for (const name of ['one', 'two'])
    await site.api.request('POST', '/v1/consumers', { name, ...fields });
  await using tab = await openTab();
  const { page, context } = tab;
  await served.signIn(context);
  await openPage(page, `${served.url}/`);
  const trouble = page.getByRole('list', { name: 'Sources in trouble' }).getByRole('listitem');
  await trouble.filter({ hasText: 'The disk of the moon is full.' }).getByRole('link').click();
  await expect.poll(() => page.url()).toBe(`${served.url}/sources/${source.id}`);
});

// In the short form a part has each width with one of the two schemes.
test.each([
  [1280, 'light', 0],
  [1280, 'dark', 1],
  [400, 'light', 1],
  [400, 'dark', 0],
] as const)(
  'at %i pixels, %s, axe finds nothing on any part of a source in trouble, and nothing is cut off',
  async (width, colorScheme, turn) => {
    const limit = 16 * 1_024 ** 2;
    const { id } =
      await followed(`slot_limit_bytes = ${limit}, lag_bytes = ${limit - 1}, lag_ms = 90000,
    interruption = 'Nothing listens at a-host-with-a-long-name.internal.example.com:5432.', interrupted_since = now()`);
    await noteTable(
      id,
      'users',
      `state = 'asking', detail = '80 of its 100 records would be deleted.'`,
    );
    await noteTable(id, 'orders', `state = 'gone', detail = 'It was dropped.'`);
    await site.api.db.query({
      text: `insert into source_problems values ($1, 'public', 'users', 'a value is no number', 3, '42', '0/10', '0/20', now(), now())`,
      values: [id],
    });
    await using tab = await openTab({ viewport: { width, height: 900 }, colorScheme });
    const { page, context } = tab;
    await served.signIn(context);
    const own = `/sources/${id}`;
    const parts = ['/sources', own, `${own}?tab=problems`, `${own}?tab=settings`];
    await openPage(page, served.url);
    for (const path of shareOf(parts, turn, 2)) {
      await goTo(page, path);
      expect(await axeFaults(page), path).toEqual([]);
      expect(await cutTexts(page), path).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth'), path).toBe(width);
    }
  },
);
