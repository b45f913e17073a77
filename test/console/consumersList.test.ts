import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { CommandRequest } from '../../src/rules/command.ts';
import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { serve, type Served } from '../support/serve.ts';

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;
let accra: string;
const ids: Record<string, string> = {};
/** The commands that were given in the place of Temporal. */
const given: { verb: string; id: string }[] = [];

beforeAll(async () => {
  opened = await openConsumersApi({
    commands: {
      give: (id: string, { command }: CommandRequest) => {
        given.push({ verb: command.kind, id });
        return Promise.resolve({ ok: true, version: 2 } as const);
      },
    },
  });
  site = await serve(opened.api);
  const target = { name: 'Warehouse Accra', base_url: 'https://accra.example.com/hooks' };
  accra = (await opened.api.request('POST', '/v1/targets', target)).body.id;
  for (const name of ['Prices', 'Orders', 'Stock', 'Other']) {
    const more = name === 'Other' ? {} : { target_id: accra };
    ids[name] = (await opened.create({ name, ...more })).id;
  }
  await sql(`update consumers set status = 'paused' where id = $1`, [ids['Stock']]);
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

async function sql(text: string, values: unknown[]): Promise<void> {
  await opened.api.db.query({ text, values });
}

async function openList(path = '/consumers', options: Parameters<typeof openTab>[0] = {}) {
  const tab = await openTab(options);
  const { page, context } = tab;
  await site.signIn(context);
  await openPage(page, `${site.url}${path}`);
  return { tab, page };
}

/** The names of the consumers that are listed, in their order. */
function names(page: Page): Promise<string[]> {
  const rows = page.getByRole('table', { name: 'consumers' }).getByRole('row');
  return rows.locator('a[href^="/consumers/"]').allTextContents();
}

test('each consumer has its target, which can be chosen among all as a filter, and the list says how many match', async () => {
  const { tab, page } = await openList();
  await using _ = tab;
  await page.getByText('4 consumers', { exact: true }).waitFor();
  const row = page.getByRole('row').filter({ hasText: 'Orders' });
  const link = row.getByRole('link', { name: 'Warehouse Accra' });
  await expect.poll(() => link.getAttribute('href')).toBe(`/targets/${accra}`);

  await page.getByRole('combobox', { name: 'Target' }).click();
  await page.keyboard.type('accra.ex');
  await page.getByRole('option', { name: 'Warehouse Accra' }).click();
  await page.waitForURL(({ searchParams }) => searchParams.get('target') === accra);
  await page.getByText('3 consumers match').waitFor();
  await expect.poll(() => names(page)).toEqual(['Stock', 'Orders', 'Prices']);
  const statuses = page.getByRole('navigation', { name: 'Status' });
  await statuses.getByRole('link', { name: 'paused' }).click();
  await page.getByText('1 consumer matches').waitFor();
  await page.getByText('Paused: someone paused it; once resumed').waitFor();
  await page.getByRole('link', { name: 'Clear the filter: of Warehouse Accra' }).click();
  await page.getByRole('combobox', { name: 'Target' }).waitFor();
  await expect.poll(() => names(page)).toEqual(['Stock']);
});

test('words find a consumer in any order, and the statuses that need someone have their counts', async () => {
  await sql(`update consumers set status = 'stopped' where id = $1`, [ids['Prices']]);
  const { tab, page } = await openList();
  await using _ = tab;
  const statuses = page.getByRole('navigation', { name: 'Status' });
  await statuses.getByRole('link', { name: 'stopped 1', exact: true }).waitFor();
  await statuses.getByRole('link', { name: 'blocked 0', exact: true }).waitFor();
  await page.getByRole('searchbox').fill('accra ord');
  await page.getByText('1 consumer matches').waitFor();
  await expect.poll(() => names(page)).toEqual(['Orders']);
  // The count is of all consumers, so it is not shown beside a search.
  await statuses.getByRole('link', { name: 'stopped', exact: true }).waitFor();
  await sql(`update consumers set status = 'active' where id = $1`, [ids['Prices']]);
});

test('the list is sorted by what waits and by what failed, and the order stands in the address', async () => {
  await sql(`insert into lag_samples values ($1, date_trunc('minute', now()), 7)`, [ids['Prices']]);
  await sql(
    `insert into attempt_hours (at, consumer_id, delivered, failed)
     values (date_bin('1 hour', now(), timestamptz 'epoch'), $1, 1, 9)`,
    [ids['Orders']],
  );
  const { tab, page } = await openList();
  await using _ = tab;
  await expect.poll(async () => (await names(page))[0]).toBe('Other');
  await page.getByLabel('Order', { exact: true }).selectOption({ label: 'Most waiting first' });
  await expect.poll(async () => (await names(page))[0]).toBe('Prices');
  expect(new URL(page.url()).search).toBe('?sort=lag');
  await page
    .getByLabel('Order', { exact: true })
    .selectOption({ label: 'Most failed attempts first' });
  await expect.poll(async () => (await names(page))[0]).toBe('Orders');
  await page.reload();
  await expect.poll(async () => (await names(page))[0]).toBe('Orders');
  await page.getByLabel('Order', { exact: true }).selectOption({ label: 'Newest first' });
  await expect.poll(async () => (await names(page))[0]).toBe('Other');
  expect(new URL(page.url()).search).toBe('');
});

test('several consumers are selected, and each command is for those of them that it concerns', async () => {
  const { tab, page } = await openList();
  await using _ = tab;
  const acts = page.getByRole('group', { name: 'Selected consumers' });
  expect(await acts.count()).toBe(0);
  for (const name of ['Orders', 'Stock']) {
    await page.getByRole('checkbox', { name: `Select ${name}` }).check();
  }
  await acts.getByText('2 consumers selected').waitFor();
  expect(new URL(page.url()).pathname).toBe('/consumers'); // a row leads to its consumer, not its box
  await acts.getByRole('button', { name: 'Resume 1' }).click();
  const resume = page.getByRole('dialog', { name: 'Resume 1 consumer of this list?' });
  await resume.getByRole('button', { name: 'Resume' }).click();
  await page.getByText('1 consumer resumed; nothing waits.').waitFor();
  expect(given.splice(0)).toEqual([{ verb: 'resume', id: ids['Stock'] }]);

  await acts.getByRole('button', { name: 'Select the 4 rows shown' }).click();
  await acts.getByText('4 consumers selected').waitFor();
  await acts.getByRole('button', { name: 'Pause 3' }).click();
  const pause = page.getByRole('dialog', { name: 'Pause 3 consumers of this list?' });
  await expect
    .poll(() => pause.getByRole('listitem').allTextContents())
    .toEqual(['Other', 'Orders', 'Prices']);
  await pause.getByRole('button', { name: 'Pause 3 consumers' }).click();
  await page.getByText('Paused: 3 consumers.').waitFor();
  const paused = given.splice(0);
  expect(new Set(paused.map(({ verb }) => verb))).toEqual(new Set(['pause']));
  const sending = ['Prices', 'Orders', 'Other'].map((name) => ids[name]);
  expect(new Set(paused.map(({ id }) => id))).toEqual(new Set(sending));
  await acts.getByRole('button', { name: 'Select none' }).click();
  await acts.waitFor({ state: 'detached' });
});

test.each([1280, 800])('the first selection moves no row, at %i pixels', async (width) => {
  const { tab, page } = await openList('/consumers', { viewport: { width, height: 800 } });
  await using _ = tab;
  const row = page.getByRole('row').filter({ hasText: 'Prices' });
  await page.getByText('Select consumers to pause, resume or retry them together.').waitFor();
  const before = await row.boundingBox();
  for (const name of ['Orders', 'Stock']) {
    await page.getByRole('checkbox', { name: `Select ${name}` }).check();
  }
  await page.getByText('2 consumers selected').waitFor();
  expect(await row.boundingBox()).toEqual(before);
});

test('all consumers that match are given a command, also those beyond the rows that were read', async () => {
  const MANY = 130;
  const target = { name: 'Fleet', base_url: 'https://fleet.example.com/hooks' };
  const { body } = await opened.api.request('POST', '/v1/targets', target);
  const fleet = String(body.id);
  for (let n = 0; n < MANY; n++) await opened.create({ name: `Truck ${n}`, target_id: fleet });
  const { tab, page } = await openList(`/consumers?target=${fleet}`);
  await using _ = tab;
  await page.getByText(`${MANY} consumers match`).waitFor();
  const acts = page.getByRole('group', { name: 'Selected consumers' });
  await page.getByRole('checkbox', { name: 'Select Truck 129' }).check();
  const every = acts.getByRole('button', { name: 'Select all matching consumers' });
  expect(await every.count()).toBe(0); // not before the rows that are shown
  await acts.getByRole('button', { name: 'Select the 100 rows shown' }).click();
  await every.click();
  await acts.getByText('All matching consumers selected').waitFor();
  await acts.getByRole('button', { name: 'Pause all' }).click();
  const dialog = page.getByRole('dialog', { name: `Pause ${MANY} consumers of this list?` });
  const listed = dialog.getByRole('listitem');
  await expect.poll(() => listed.count()).toBe(11);
  await expect.poll(() => listed.nth(0).textContent()).toBe('Truck 129');
  await expect.poll(() => listed.nth(10).textContent()).toBe(`and ${MANY - 10} more`);
  await dialog.getByRole('button', { name: `Pause ${MANY} consumers` }).click();
  await page.getByText(`Paused: ${MANY} consumers.`).waitFor();
  expect(new Set(given.splice(0).map(({ id }) => id)).size).toBe(MANY);

  await page.getByRole('link', { name: 'Clear the filter: of Fleet' }).click();
  await acts.getByText('All matching consumers selected').waitFor({ state: 'detached' });
});
