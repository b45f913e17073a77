import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { byKind, choicesOf, pagesFor } from '../../src/console/find/choices.ts';
import type { SearchHit } from '../../src/schema/search.ts';
import { createBatchSender, DELIVERED } from '../support/batchSender.ts';
import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { serve, type Served } from '../support/serve.ts';

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;
let crm: string;
let eventId: string;
let versionId: string;
beforeAll(async () => {
  opened = await openConsumersApi();
  site = await serve(opened.api);
  crm = (await opened.create({ name: 'CRM of ACME' })).id;
  await opened.create({ name: 'CRM of Bolt' });
  await opened.api.request('POST', '/v1/records', {
    records: [
      {
        sync_id: 'shop',
        collection_id: 'stripe:customer',
        upstream_id: 'cus_1',
        data: { mail: 'ada@example.com' },
      },
    ],
  });
  eventId = (await opened.api.request('GET', '/v1/events')).body.events[0].event_id;
  versionId = (await opened.api.request('GET', '/v1/records')).body.records[0].version_id;
  await opened.api.request('GET', '/v1/syncs'); // counts them
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

async function openSigned(path: string, width = 1280) {
  const tab = await openTab({ viewport: { width, height: 800 } });
  await site.signIn(tab.context);
  await openPage(tab.page, `${site.url}${path}`);
  return { tab, page: tab.page };
}

const field = (page: Page) => page.getByRole('combobox', { name: 'Search everything' });
/** What was found: a page may have choices of its own. */
const options = (page: Page) => page.getByRole('listbox', { name: 'Results' }).getByRole('option');
const isFocused = (element: { matches(selectors: string): boolean }): boolean =>
  element.matches(':focus');

/** The text of the option to which the arrows have moved, as a screen reader gets it. */
async function active(page: Page): Promise<string> {
  const id = await field(page).getAttribute('aria-activedescendant');
  if (id === null) return '';
  const option = page.locator(`[id="${id}"]`);
  await expect.poll(() => option.getAttribute('aria-selected')).toBe('true');
  return option.innerText();
}

test('on a page without a search of its own / focuses the search of everything, arrows move, and Enter opens the result', async () => {
  const { tab, page } = await openSigned('/settings');
  await using _ = tab;
  await page.keyboard.press('/');
  await expect.poll(() => field(page).evaluate(isFocused)).toBe(true);
  await page.keyboard.insertText('crm'); // at once, so that one answer comes
  await page.getByRole('group', { name: 'Consumers' }).waitFor();
  await expect.poll(() => field(page).getAttribute('aria-expanded')).toBe('true');
  await expect.poll(() => active(page)).toContain('CRM of ACME');
  await page.keyboard.press('ArrowDown');
  await expect.poll(() => active(page)).toContain('CRM of Bolt');
  await page.keyboard.press('ArrowDown'); // around
  await expect.poll(() => active(page)).toContain('CRM of ACME');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'CRM of ACME' }).waitFor();
  expect(page.url()).toBe(`${site.url}/consumers/${crm}`);
  await expect.poll(() => page.evaluate('document.activeElement.id')).toBe('main');
  await expect.poll(() => field(page).inputValue()).toBe('');
  await page.goBack();
  await page.getByRole('heading', { level: 1, name: 'Settings' }).waitFor();
});

test('on a page with a search of its own / focuses that, and Ctrl K the search of everything, even while someone types', async () => {
  const { tab, page } = await openSigned('/consumers');
  await using _ = tab;
  await page.keyboard.press('/');
  const own = page.getByRole('searchbox', { name: 'Search names' });
  await expect.poll(() => own.evaluate(isFocused)).toBe(true);
  await page.keyboard.press('Control+k');
  await expect.poll(() => field(page).evaluate(isFocused)).toBe(true);
  await page.keyboard.type('crm');
  await options(page).first().waitFor();
  await page.keyboard.press('Escape');
  expect(await options(page).count()).toBe(0);
  await expect.poll(() => own.evaluate(isFocused)).toBe(true); // what had the focus has it again
  await page.keyboard.press('Meta+k');
  await expect.poll(() => field(page).evaluate(isFocused)).toBe(true);
  expect(page.url()).toBe(`${site.url}/consumers`);
});

test('Enter pressed before the answer has come opens the first result of the answer', async () => {
  const { tab, page } = await openSigned('/alerts');
  await using _ = tab;
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => (open = resolve));
  await page.route('**/v1/search?*', async (route) => {
    await gate;
    await route.continue();
  });
  await page.keyboard.press('Control+k');
  await page.keyboard.insertText(eventId); // as one pastes it
  await page.keyboard.press('Enter');
  await page.getByText('Searching…').waitFor();
  open();
  await page.getByRole('dialog').getByText('ada@example.com').first().waitFor();
  expect(page.url()).toBe(`${site.url}/streams?entry=${eventId}`);
});

test('a webhook-id of the records stream leads to the record, a sync to its entries, a word to a page', async () => {
  const { tab, page } = await openSigned('/');
  await using _ = tab;
  await field(page).fill(versionId);
  await page.getByRole('group', { name: 'Records' }).getByRole('option').click();
  const drawer = page.getByRole('dialog');
  await drawer.getByText('ada@example.com').first().waitFor();
  expect(page.url()).toContain(`stream=records&record=${versionId}`);
  await page.keyboard.press('Escape');
  await drawer.waitFor({ state: 'detached' });

  await field(page).fill('shop');
  await page.getByRole('group', { name: 'Syncs' }).getByRole('option').click();
  await page.waitForURL(/\/streams\?sync=shop/u);
  await page.getByRole('cell').getByText('cus_1').first().waitFor();

  await field(page).fill('dead');
  await page.getByRole('option', { name: 'Dead letters' }).waitFor();
  await field(page).press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Dead letters' }).waitFor();
});

test('a result is a link, which opens in a new tab with Ctrl', async () => {
  const { tab, page } = await openSigned('/targets');
  await using _ = tab;
  await field(page).fill('crm of a');
  const option = page.getByRole('option', { name: /CRM of ACME/u });
  await expect.poll(() => option.getAttribute('href')).toBe(`/consumers/${crm}`);
  const [other] = await Promise.all([
    tab.context.waitForEvent('page'),
    option.click({ modifiers: ['Control'] }),
  ]);
  await other.getByRole('heading', { level: 1, name: 'CRM of ACME' }).waitFor();
  expect(page.url()).toBe(`${site.url}/targets`);
});

test('the webhook-id of a batch leads to its attempts at its consumer, and one of which nothing is stored is said to be that', async () => {
  const sender = await createBatchSender(opened, 'Batching');
  const batch = await sender.sent([70, 71], Date.now() - 2_000, [DELIVERED, DELIVERED]);
  await sender.sent([72, 73], Date.now() - 1_000, [DELIVERED, DELIVERED]);
  const { tab, page } = await openSigned('/');
  await using _ = tab;
  await field(page).fill(batch.replace('_70_', '_69_'));
  const status = page.getByRole('status').filter({ hasText: 'Nothing was found' });
  await status.filter({ hasText: 'is at position 69, no attempt is stored.' }).waitFor();
  await field(page).fill(batch);
  const option = page.getByRole('group', { name: 'Batches' }).getByRole('option');
  await expect.poll(() => option.innerText()).toMatch(/Batching\s+2 entries, delivered \(204\)/u);
  await option.click();
  await page.getByRole('heading', { level: 1, name: 'Batching' }).waitFor();
  expect(page.url()).toBe(`${site.url}/consumers/${sender.id}?event=${batch}`);
  const first = page.getByRole('cell').getByText('position 70, not kept');
  await first.waitFor();
  await page.getByRole('cell').getByText('position 71, not kept').waitFor();
  expect(await page.getByRole('cell').getByText('position 72, not kept').count()).toBe(0);
  await expect
    .poll(() => page.getByRole('textbox', { name: 'webhook-id' }).inputValue())
    .toBe(batch);
  await first.click();
  const drawer = page.getByRole('dialog');
  await drawer.getByText('one of 2 entries of this request').waitFor();
  await expect.poll(() => drawer.innerText()).toContain(batch);
});

test('a record that has changed since it was found is shown as changed', async () => {
  const { body } = await opened.api.request('GET', `/v1/search?q=cus_1`);
  const [{ version_id, cursor }] = body.data as [Extract<SearchHit, { kind: 'record' }>];
  await opened.api.request('POST', '/v1/records', {
    records: [
      {
        sync_id: 'shop',
        collection_id: 'stripe:customer',
        upstream_id: 'cus_1',
        data: { mail: 'lovelace@example.com' },
      },
    ],
  });
  const { tab, page } = await openSigned(
    `/streams?stream=records&record=${version_id}&at=${cursor}`,
  );
  await using _ = tab;
  const drawer = page.getByRole('dialog');
  await drawer.getByText('The record has changed since it was found').waitFor();
  await expect.poll(() => drawer.innerText()).toContain(version_id);
});

test('when nothing is found the search says so, and what can be searched for', async () => {
  const { tab, page } = await openSigned('/');
  await using _ = tab;
  await field(page).fill('no such thing');
  const status = page.getByRole('status').filter({ hasText: 'Nothing was found' });
  await status.waitFor();
  await expect.poll(() => status.innerText()).toContain('Nothing was found for “no such thing”.');
  await expect.poll(() => status.innerText()).toContain('webhook-id');
  await expect.poll(() => field(page).getAttribute('aria-expanded')).toBe('false');
  expect(await options(page).count()).toBe(0);
  await field(page).press('Enter'); // there is nothing to go to
  expect(page.url()).toBe(`${site.url}/`);
});

test('at 400 pixels the search has room in the header, and its results fit the screen', async () => {
  const { tab, page } = await openSigned('/settings', 400);
  await using _ = tab;
  await field(page).fill('crm');
  await options(page).first().waitFor();
  const box = (await page.getByRole('listbox', { name: 'Results' }).boundingBox())!;
  expect(box.x).toBeGreaterThanOrEqual(0);
  expect(box.x + box.width).toBeLessThanOrEqual(400);
  expect(box.width).toBeGreaterThan(340);
  await expect.poll(async () => (await field(page).boundingBox())!.width).toBeGreaterThan(90);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(400);
});

test('pages are found by the beginnings of their words, and without a text the pages of the navigation are offered', () => {
  const texts = (text: string): string[] => pagesFor(text).map((page) => page.text);
  expect(texts('')).toEqual([
    'Overview',
    'Consumers',
    'Targets',
    'Sources',
    'Dead letters',
    'Alerts',
    'Streams',
    'Settings',
  ]);
  expect(texts('let')).toEqual(['Dead letters']);
  expect(texts('new cons')).toEqual(['New consumer: webhooks']);
  expect(texts('etters')).toEqual([]);
});

test('each result leads to the page that shows it, whatever its text', () => {
  const entry = { sync_id: 's', collection_id: 'a:b', upstream_id: 'x & y', position: 1_042 };
  const at = '2026-11-23T10:00:00Z';
  const hits: SearchHit[] = [
    { kind: 'source', id: 's_1', name: 'Shop database', status: 'failed', sync_id: 'shop' },
    { kind: 'sync', sync_id: 'a/b?c', name: null, last_at: at },
    { kind: 'sync', sync_id: 's2', name: 'Shop', last_at: at },
    { kind: 'event', event_id: 'e_1', event: 'updated', event_inserted_at: at, ...entry },
    { kind: 'record', version_id: 'v1', deleted: true, updated_at: at, cursor: 'MXI', ...entry },
    {
      kind: 'batch',
      message_id: 'batch_1042_ab',
      consumer_id: 'c1',
      consumer_name: 'Shop',
      batch_size: 1_000,
      position: 1_042,
      started_at: at,
      outcome: 'failed',
      status: null,
      error_code: 'TIMEOUT',
    },
  ];
  const choices = choicesOf(hits);
  expect(choices.map(({ text, about, href }) => [text, about, href])).toEqual([
    ['Shop database', 'failed, into shop', '/sources/s_1'],
    ['a/b?c', '', '/streams?sync=a%2Fb%3Fc'],
    ['Shop', 's2', '/streams?sync=s2'],
    ['updated x & y', 'a:b, position 1,042', '/streams?entry=e_1'],
    ['x & y', 'deleted, a:b, position 1,042', '/streams?stream=records&record=v1&at=MXI'],
    ['Shop', '1,000 entries, failed (TIMEOUT)', '/consumers/c1?event=batch_1042_ab'],
  ]);
  expect(byKind(choices).map(({ kind, choices: of }) => [kind, of.length])).toEqual([
    ['source', 1],
    ['sync', 2],
    ['event', 1],
    ['record', 1],
    ['batch', 1],
  ]);
});
