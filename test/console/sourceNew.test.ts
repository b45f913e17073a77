// a new source: the test of its database, its tables, and what is said before anything is created
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Source } from '../../src/schema/source.ts';
import { axeFaults } from '../support/axe.ts';
import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { cutTexts } from '../support/cutTexts.ts';
import { serve, type Served } from '../support/serve.ts';
import { createSource, openSourceSite, type Shop, type SourceSite } from '../support/sourceSite.ts';

/** A key that may read alone. */
const READER = { name: 'reader', scopes: ['read'] };

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

async function openForm(width = 1280, expected: RegExp[] = []) {
  const tab = await openTab({ viewport: { width, height: 900 }, expected });
  await served.signIn(tab.context);
  await openPage(tab.page, `${served.url}/sources/new`);
  return { tab, page: tab.page };
}

const table = (page: Page, name: string) =>
  page.getByRole('group', { name: 'Tables' }).getByRole('checkbox', { name });

async function testConnection(page: Page, url: string): Promise<void> {
  await page.getByLabel('Database URL').fill(url);
  await page.getByRole('button', { name: 'Test connection' }).click();
}

async function sources(): Promise<Source[]> {
  return (await site.api.request('GET', '/v1/sources')).body.data;
}

test('a database is tested, its tables are selected, and what will be read and created is said before anything is saved', async () => {
  const before = await shop.state();
  await using tab = await openTab();
  const { page, context } = tab;
  await served.signIn(context);
  await openPage(page, `${served.url}/sources`);
  await page.getByText('No source yet').waitFor();
  await page.getByText('A source is a Postgres database').waitFor();
  await page.getByRole('button', { name: 'Add new' }).first().click();
  await page.getByRole('menuitem', { name: 'Postgres' }).click();
  await page.getByRole('heading', { name: 'New source: Postgres' }).waitFor();
  const url = page.getByLabel('Database URL');
  await expect.poll(() => url.getAttribute('type')).toBe('password');
  await testConnection(page, shop.url);
  await page.getByText(/^Postgres \d+.*2 of 3 tables can be followed\./u).waitFor();
  await expect.poll(() => table(page, 'public.notes').isDisabled()).toBe(true);
  await page.getByText('public.notes has no primary key.').waitFor();
  await page.getByText('Give it a primary key').waitFor();
  const users = page.getByText('about 100 rows, key id');
  await users.waitFor();
  await page.getByText('Select tables to see what will be read and created.').waitFor();
  await table(page, 'public.users').check();
  await page.getByRole('definition').getByText('1 table, about 100 rows: public.users').waitFor();
  await page.getByRole('button', { name: 'Select all' }).waitFor({ state: 'hidden' }); // one is left
  await table(page, 'public.orders').check();
  await page.getByLabel('Name', { exact: true }).fill('Shop & stock');
  await page.getByText('millrace_shop_stock_…').waitFor();
  await page.getByText('deleting the source drops both').waitFor();
  await page.getByLabel('Send a mail after a silence of').fill('2');
  await page.getByLabel('Unit').selectOption('days');
  expect(await sources()).toEqual([]);
  await page.getByRole('button', { name: 'Save source' }).click();
  await page.getByRole('heading', { level: 1, name: /Shop & stock/u }).waitFor();
  const [made] = await sources();
  expect(made).toMatchObject({
    name: 'Shop & stock',
    expect_within: 172_800,
    tables: [{ table: 'public.orders' }, { table: 'public.users' }],
  });
  expect(page.url()).toBe(`${served.url}/sources/${made?.id}`);
  const list = page.getByRole('table', { name: 'tables' });
  await expect.poll(() => list.getByRole('row').count()).toBe(3);
  await expect.poll(() => list.innerText()).toContain('waiting');
  const { password } = new URL(shop.url);
  expect(password).not.toBe('');
  expect(await page.content()).not.toContain(`:${password}@`);
  expect(await shop.state()).toEqual(before); // only a worker changes anything there
});

test('what is wrong with a URL is said beside it before anything is sent, and it is not kept by the browser', async () => {
  const { tab, page } = await openForm();
  await using _ = tab;
  const sent: string[] = [];
  page.on('request', (request) => {
    if (request.method() === 'POST') sent.push(request.url());
  });
  await testConnection(page, 'db.example.com/shop');
  const url = page.getByLabel('Database URL');
  await page.getByText('The URL must begin with postgres://.').waitFor();
  await expect.poll(() => url.evaluate('document.activeElement.type')).toBe('password');
  await expect.poll(() => url.getAttribute('aria-invalid')).toBe('true');
  await page.getByRole('button', { name: 'Save source' }).click();
  const search = page.getByLabel('Search tables');
  await expect.poll(() => search.getAttribute('aria-invalid')).toBe('true');
  const about = (await search.getAttribute('aria-describedby')) ?? '';
  await expect
    .poll(() => page.locator(`[id="${about}"]`).innerText())
    .toBe('Select at least one table.');
  await url.fill('postgres://a:unique-secret@db.example.com/shop');
  await page.getByText('The URL must begin with postgres://.').waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: 'Show' }).click();
  await expect.poll(() => url.getAttribute('type')).toBe('text');
  await page.getByLabel('Name', { exact: true }).fill('Kept name');
  const kept = await page.evaluate<string>('JSON.stringify([localStorage, sessionStorage])');
  expect(kept).toContain('Kept name');
  expect(kept).not.toContain('unique-secret');
  await page.reload();
  await page.getByText('Your unsaved draft was restored. The URL was not kept').waitFor();
  await expect.poll(() => page.getByLabel('Database URL').inputValue()).toBe('');
  await expect.poll(() => page.getByLabel('Name', { exact: true }).inputValue()).toBe('Kept name');
  expect(sent).toEqual([]);
});

test('a database that cannot be reached or followed says why and what to do, in the test as well as when it is saved', async () => {
  await shop.session.run(
    "create role weak login password 'weak'",
    'grant select on users to weak',
    'grant usage on schema public to weak',
  );
  const { tab, page } = await openForm(1280, [/422/u]);
  await using _ = tab;
  const { host } = new URL(shop.url);
  const nowhere = Object.assign(new URL(shop.url), { port: '1' }).href;
  await testConnection(page, nowhere);
  await page.getByText('Nothing listens at 127.0.0.1:1. Check the host and the port').waitFor();
  await testConnection(page, `postgres://weak:weak@${host}${new URL(shop.url).pathname}`);
  const findings = page.getByRole('list', { name: 'What has to be mended' });
  await findings.getByText('The role weak may not replicate.').waitFor();
  await findings.getByText('alter role weak replication').waitFor();
  await page.getByText('not ready').waitFor();
  await page.getByLabel('Database URL').fill(shop.url);
  await page.getByText('This was found before the last changes.').waitFor();
  await page.getByLabel('Search tables').fill('public.gone');
  await page.getByRole('button', { name: 'Add “public.gone”' }).click();
  const before = (await sources()).length;
  await page.getByRole('button', { name: 'Save source' }).click();
  await findings.getByText('There is no table public.gone.').waitFor();
  await findings.getByText('Check its schema and its name.').waitFor();
  expect((await sources()).length).toBe(before);
});

test('a taken name is refused beside the field', async () => {
  const { name } = await createSource(site, { url: shop.url });
  const { tab, page } = await openForm(1280, [/409/u]);
  await using _ = tab;
  await testConnection(page, shop.url);
  await table(page, 'public.users').check();
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByRole('button', { name: 'Save source' }).click();
  const field = page.getByLabel('Name', { exact: true });
  await expect.poll(() => field.getAttribute('aria-invalid')).toBe('true');
  const about = (await field.getAttribute('aria-describedby')) ?? '';
  await expect.poll(() => page.locator(`[id="${about}"]`).innerText()).toContain(name);
});

test('a session that may only read sees why it cannot add a source', async () => {
  const { body } = await site.api.request('POST', '/v1/api-keys', READER);
  await using tab = await openTab();
  const { page, context } = tab;
  await context.request.post(`${served.url}/v1/session`, { data: { api_key: body.key } });
  await openPage(page, `${served.url}/sources/new`);
  await page.getByText('This key can only read: it lacks the scope manage.').first().waitFor();
  expect(await page.getByLabel('Database URL').count()).toBe(0);
});

test.each([
  [1280, 'light'],
  [400, 'dark'],
] as const)(
  'at %i pixels, %s, axe finds nothing in the form, and nothing is cut off',
  async (width, colorScheme) => {
    await using tab = await openTab({ viewport: { width, height: 900 }, colorScheme });
    const { page, context } = tab;
    await served.signIn(context);
    await openPage(page, `${served.url}/sources/new`);
    await testConnection(page, shop.url);
    await table(page, 'public.users').check();
    await page.getByRole('button', { name: 'Show' }).click();
    expect(await axeFaults(page)).toEqual([]);
    expect(await cutTexts(page)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
  },
);
