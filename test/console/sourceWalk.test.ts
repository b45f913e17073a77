// the walk of a user with a database, on a whole Millrace: from the form to records, and to a database as it was
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Source } from '../../src/schema/source.ts';
import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { siteOfFile } from '../support/consoleSite.ts';
import { openSourcePostgres, type SourcePostgres } from '../support/sourcePostgres.ts';

const openTab = browserOfFile();
const site = siteOfFile();
let postgres: SourcePostgres;
beforeAll(async () => {
  postgres = await openSourcePostgres();
});
afterAll(() => postgres[Symbol.asyncDispose]());

test('a database is added in the console, its rows and changes become records, and deleting it drops what was created there', async () => {
  const url = await postgres.createDatabase();
  await using shop = await postgres.connect(url);
  await shop.run(
    'create table users (id int primary key, name text)',
    "insert into users select n, 'user ' || n from generate_series(1, 2500) n",
  );
  const created = () =>
    shop.rows(
      'select slot_name::text from pg_replication_slots union all select pubname::text from pg_publication',
    );
  // Once it is deleted, its page may find it gone before the list is shown.
  await using tab = await openTab({ expected: [/404 .*\/v1\/sources\//u] });
  const { page, context } = tab;
  await site().signIn(context);
  await openPage(page, `${site().url}/sources/new`);
  await page.getByLabel('Database URL').fill(url);
  await page.getByRole('button', { name: 'Test connection' }).click();
  await page.getByText('Its only table can be followed.').waitFor();
  await page.getByRole('checkbox', { name: 'public.users' }).check();
  await page.getByLabel('Name', { exact: true }).fill('Shop');
  expect(await created()).toEqual([]);
  await page.getByRole('button', { name: 'Save source' }).click();
  const users = page.getByRole('table', { name: 'tables' }).getByRole('row').nth(1);
  await users.getByText('following').waitFor();
  await expect.poll(() => users.innerText()).toMatch(/\s2,500\s/u); // counts are noted every few seconds
  const { data } = await site().cluster.request<{ data: Source[] }>('GET', '/v1/sources');
  expect((await created()).flat()).toEqual([data[0]?.slot, data[0]?.publication]);
  await shop.run("update users set name = 'Ada' where id = 7");
  await expect.poll(() => users.innerText()).toMatch(/\s2,500\s+1\s/u);
  await page.getByText('Follows 1 table. Everything is stored.').waitFor();

  await users.getByRole('link', { name: 'public.users' }).click();
  await page.getByRole('table', { name: 'records' }).getByText('"Ada"').first().waitFor();
  await page.goBack();
  await page.getByRole('tab', { name: 'Settings' }).click();
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByText('No source yet').waitFor();
  expect(await created()).toEqual([]);
});
