import { afterAll, beforeAll, expect, test } from 'vitest';

import { openOwnApp, type OwnApp } from '../support/app.ts';
import { browserOfFile } from '../support/browser.ts';
import { serve, type Served } from '../support/serve.ts';

/** From the request that appends an entry to its row, on a machine that opens the page at once. */
const LIVE_MS = 2_000;

const openTab = browserOfFile();
let api: OwnApp;
let site: Served;
beforeAll(async () => {
  api = await openOwnApp();
  site = await serve(api);
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await api[Symbol.asyncDispose]();
});

test('an appended entry is immediately at the top of the live tail, and a filter in the address applies there as well', async () => {
  const { url, signIn } = site;
  await using tab = await openTab();
  const { page, context } = tab;
  await signIn(context);
  const polls = page.waitForRequest(/\/v1\/events\?.*wait_for=25000/u);
  const opening = performance.now();
  await page.goto(`${url}/streams?live=1&collection=stripe%3Acustomer`);
  await page.getByText('Waiting for events').waitFor();
  const waiting = await polls;
  const liveMs = LIVE_MS + performance.now() - opening;
  await append('hubspot:contact', 'other');
  await append('stripe:customer', 'wanted 0');
  const answered = await waiting.response(); // it waited before there was anything to ask for
  expect(await answered?.text()).toContain('"wanted 0"');
  // Several times, as the machine may be slow at one.
  let quickest = Infinity;
  for (let round = 1; quickest >= liveMs && round <= 5; round++) {
    const began = performance.now();
    await append('stripe:customer', `wanted ${round}`);
    await page.getByRole('button', { name: `wanted ${round}` }).waitFor();
    quickest = Math.min(quickest, performance.now() - began);
  }
  expect(quickest).toBeLessThan(liveMs);
  expect(await page.getByText('other').count()).toBe(0);
});

test('a stream begins with its newest entry; following keeps what is shown, adds on top, and ends without a loss', async () => {
  const { url, signIn } = site;
  await using tab = await openTab();
  const { page, context } = tab;
  await signIn(context);
  for (const record of ['first', 'second']) await append('order:x', record);
  await page.goto(`${url}/streams?collection=order%3Ax`);
  const records = page.getByRole('table', { name: 'events' }).getByRole('button');
  await expect.poll(() => records.allTextContents()).toEqual(['second', 'first']);

  const polls = page.waitForRequest(/\/v1\/events\?.*wait_for=25000/u);
  await page.getByRole('button', { name: 'Follow live' }).click();
  await polls;
  await append('order:x', 'third');
  await page.getByRole('button', { name: 'third' }).waitFor();
  await expect.poll(() => records.allTextContents()).toEqual(['third', 'second', 'first']);
  await page.getByRole('button', { name: 'Stop following' }).click();
  await page.getByRole('button', { name: 'Follow live' }).waitFor();
  await expect.poll(() => records.allTextContents()).toEqual(['third', 'second', 'first']);

  const order = page.getByLabel('Order', { exact: true });
  await order.selectOption({ label: 'Oldest first, since the beginning' });
  await expect.poll(() => records.allTextContents()).toEqual(['first', 'second', 'third']);
});

test('while a stream is followed, the row that was gone to or pressed is the one that opens, although others come above it', async () => {
  const { url, signIn } = site;
  await using tab = await openTab();
  const { page, context } = tab;
  await signIn(context);
  const table = page.getByRole('table', { name: 'events' });
  const drawer = page.getByRole('dialog');
  const polls = page.waitForRequest(/\/v1\/events\?.*wait_for=25000/u);
  await page.goto(`${url}/streams?live=1&collection=moving%3Ax`);
  await polls;
  for (const record of ['first', 'second']) await append('moving:x', record);
  await table.getByRole('button', { name: 'second' }).waitFor();
  await page.keyboard.press('j');
  await append('moving:x', 'third');
  await table.getByRole('button', { name: 'third' }).waitFor();
  await page.keyboard.press('Enter');
  await drawer.getByRole('heading', { name: ': second' }).waitFor();
  await page.keyboard.press('Escape');
  await drawer.waitFor({ state: 'detached' });

  await table.getByRole('row').filter({ hasText: 'first' }).getByText('created').hover();
  await page.mouse.down();
  await append('moving:x', 'fourth');
  await table.getByRole('button', { name: 'fourth' }).waitFor();
  await page.mouse.up();
  await expect.poll(() => drawer.getByRole('heading').first().textContent()).toMatch(/: first$/u);
});

test('a record that changes while its stream is followed moves to the top, and is there once', async () => {
  const { url, signIn } = site;
  await using tab = await openTab();
  const { page, context } = tab;
  await signIn(context);
  for (const record of ['one', 'two']) await put('stock:item', record, 1);
  await page.goto(`${url}/streams?stream=records&collection=stock%3Aitem`);
  const records = page.getByRole('table', { name: 'records' }).getByRole('button');
  await expect.poll(() => records.allTextContents()).toEqual(['two', 'one']);
  const polls = page.waitForRequest(/\/v1\/records\?.*wait_for=25000/u);
  await page.getByRole('button', { name: 'Follow live' }).click();
  await polls;
  await put('stock:item', 'one', 2);
  await expect.poll(() => records.allTextContents()).toEqual(['one', 'two']);
});

test('a sample that a person sends keeps all digits, and the page shows which consumers it was sent for', async () => {
  const { url, signIn } = site;
  await using tab = await openTab();
  const { page, context } = tab;
  await signIn(context);
  await page.goto(`${url}/streams`);
  await page.getByRole('button', { name: 'Send a sample…' }).first().click();
  await page.getByRole('textbox', { name: 'Record', exact: true }).fill('by-hand');
  await page.getByRole('textbox', { name: 'Data' }).fill('{"n": }');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByText(/not valid JSON/u).waitFor();
  await page.getByRole('textbox', { name: 'Data' }).fill('{"n": 9007199254740993}');
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByRole('button', { name: 'by-hand' }).click();
  await page.waitForURL(/entry=/u);
  expect(page.url()).toContain('/streams?');
  const drawer = page.getByRole('dialog');
  await drawer.getByLabel('Data').getByText('"n": 9007199254740993').waitFor();
  await drawer.getByText('Attempts of all consumers').waitFor();

  await page.reload(); // the address alone opens it again
  await drawer.getByLabel('Data').getByText('9007199254740993').waitFor();
});

test('an API key is shown once and works until it is revoked, and revoking asks for confirmation', async () => {
  const { url, signIn } = site;
  await using tab = await openTab();
  const { page, context } = tab;
  await signIn(context);
  await page.goto(`${url}/settings?tab=keys`);
  await page.getByRole('button', { name: 'Create key…' }).first().click();
  await page.getByRole('textbox', { name: 'Name' }).fill('reader');
  await page.getByRole('button', { name: 'Create key', exact: true }).click();
  const key = (await page.getByLabel('API key', { exact: true }).textContent()) ?? '';
  const status = async (): Promise<number> => {
    const headers = { authorization: `Bearer ${key}` };
    return (await fetch(`${url}/v1/info`, { headers })).status;
  };
  expect(await status()).toBe(200);
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  expect(await page.content()).not.toContain(key);

  await page.getByRole('button', { name: 'Revoke reader' }).click();
  await page.getByRole('button', { name: 'Revoke 1 key' }).click();
  await page.getByText('API key “reader” revoked').waitFor();
  await expect.poll(status, { timeout: 15_000 }).toBe(401);
});

async function put(collection: string, record: string, n: number): Promise<void> {
  const row = { sync_id: 'shop', collection_id: collection, upstream_id: record, data: { n } };
  await sent('/v1/records', { records: [row] });
}

async function append(collection: string, record: string): Promise<void> {
  const event = { sync_id: 'shop', collection_id: collection, upstream_id: record };
  await sent('/v1/events', { events: [{ ...event, event: 'created', data: { name: record } }] });
}

async function sent(path: string, body: object): Promise<void> {
  expect((await api.request('POST', path, body)).status).toBe(200);
}
