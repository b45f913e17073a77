import { createServer } from 'node:http';

import { expect, test } from 'vitest';

import { browserOfFile, type Tab } from '../support/browser.ts';
import { siteOfFile } from '../support/consoleSite.ts';
import { listening, type Listening } from '../support/listening.ts';
import { openReceiver } from '../support/receiver.ts';

const ROUNDS = 3;
/** On a machine that paints a bare page in a twentieth of it, as any that is not busy does. */
const MOST_MS = 1_000;
const PAINT = `new Promise((resolve) => {
  new PerformanceObserver((list) => {
    const paint = list.getEntriesByName('first-contentful-paint')[0];
    if (paint !== undefined) resolve(paint.startTime);
  }).observe({ type: 'paint', buffered: true });
})`;

const openTab = browserOfFile();
const site = siteOfFile();

test('the first paint comes within a second on loopback, with nothing in the cache', async () => {
  await using bare = await openBarePage();
  const paints = { bare: [] as number[], signin: [] as number[], consumers: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, url] of [
      ['bare', bare.url],
      ['signin', `${site().url}/signin`],
      ['consumers', `${site().url}/consumers`],
    ] as const) {
      await using tab = await openTab({ expected: [/401/u], isAlone: true }); // with an empty cache
      await site().signIn(tab.context);
      paints[name].push(await paintOf(tab, url));
    }
  }
  const best = (times: number[]): number => Math.round(Math.min(...times));
  process.stderr.write(
    `first paint, best of ${ROUNDS}: bare page ${best(paints.bare)} ms, sign-in ${best(paints.signin)} ms, consumers ${best(paints.consumers)} ms\n`,
  );
  const most = Math.max(MOST_MS, 20 * best(paints.bare));
  expect(best(paints.signin)).toBeLessThan(most);
  expect(best(paints.consumers)).toBeLessThan(most);
});

test('the keyboard can search, move through rows and open one, and a list shows the keys', async () => {
  const { url, signIn, cluster } = site();
  await using receiver = await openReceiver();
  for (const name of ['Third', 'Second', 'First']) await cluster.consumer(receiver.url, { name });
  await using tab = await openTab();
  const { page, context } = tab;
  await signIn(context);
  await page.goto(`${url}/consumers`);
  const row = (name: string) => page.getByRole('row').filter({ hasText: name });
  await row('Second').waitFor();

  await page.keyboard.press('/');
  const search = page.getByRole('searchbox');
  await expect.poll(() => search.evaluate((box) => box.matches(':focus'))).toBe(true);
  await page.keyboard.type('ir');
  await page.waitForURL(/[?&]q=ir$/u);
  await row('Second').waitFor({ state: 'detached' });
  await row('First').waitFor();

  await search.blur();
  const current = page.locator('[role="row"][aria-current="true"]');
  await page.keyboard.press('j');
  await current.filter({ hasText: 'First' }).waitFor();
  await page.keyboard.press('j');
  await current.filter({ hasText: 'Third' }).waitFor();
  await page.keyboard.press('k');
  await current.filter({ hasText: 'First' }).waitFor();

  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });

  await page.keyboard.press('Enter');
  await page.waitForURL(/\/consumers\/[0-9a-f-]{36}$/u);
  await page.getByRole('heading', { level: 1 }).getByText('First').waitFor();
  await page.goBack();
  await page.waitForURL(/[?&]q=ir$/u);
  await expect.poll(() => search.inputValue()).toBe('ir');
});

test('changes of two people to one consumer are both kept, visiting another tab loses no edit, and a deleted consumer says so', async () => {
  const { url, signIn, cluster } = site();
  await using receiver = await openReceiver();
  const { id } = await cluster.consumer(receiver.url, { name: 'Shared' });
  await using tab = await openTab({ expected: [/404/u] });
  const { page, context } = tab;
  await signIn(context);
  await page.goto(`${url}/consumers/${id}?tab=settings`);
  const name = page.getByLabel('Name', { exact: true });
  await name.fill('Named here');
  await cluster.request('PATCH', `/v1/consumers/${id}`, { path: '/set-elsewhere' });
  await expect
    .poll(() => page.getByLabel('Path').inputValue(), { timeout: 15_000 })
    .toBe('/set-elsewhere');

  await page.getByRole('tab', { name: 'Filter' }).click();
  await page.getByRole('button', { name: 'Edit filter' }).click();
  await page.getByLabel('Selected syncs').check();
  await page.getByLabel('Search syncs').fill('shop');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Remove shop' }).waitFor();
  await page.getByRole('tab', { name: 'Settings, unsaved' }).click();
  await expect.poll(() => name.inputValue()).toBe('Named here');
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByRole('heading', { level: 1 }).getByText('Named here').waitFor();
  await page.getByRole('tab', { name: 'Filter, unsaved' }).click();
  await page.getByRole('button', { name: 'Remove shop' }).waitFor();
  expect(await cluster.get(id)).toMatchObject({ name: 'Named here', path: '/set-elsewhere' });

  await cluster.request('DELETE', `/v1/consumers/${id}`);
  const refusal = page.getByRole('alert').filter({ hasText: 'Not found' });
  const about = refusal.getByRole('link', { name: 'About this error' });
  await expect.poll(() => about.getAttribute('href')).toBe('/docs/errors#not_found');
  await page.getByRole('link', { name: 'Back to consumers' }).click();
  await page.waitForURL(`${url}/consumers`);
});

test('the back button closes a drawer, and closing the drawer leaves no entry in the history', async () => {
  const { url, signIn, cluster } = site();
  const event = {
    sync_id: 'shop',
    collection_id: 'stripe:charge',
    upstream_id: 'back-and-forth',
    event: 'created',
    data: {},
  };
  await cluster.request('POST', '/v1/events', { events: [event] });
  await using tab = await openTab();
  const { page, context } = tab;
  await signIn(context);
  await page.goto(`${url}/alerts`);
  await page.getByRole('link', { name: 'Streams' }).click();
  const drawer = page.getByRole('dialog');
  const row = page.getByRole('button', { name: 'back-and-forth' });
  await row.click();
  await drawer.waitFor();
  await page.goBack();
  await drawer.waitFor({ state: 'detached' });
  expect(new URL(page.url()).pathname).toBe('/streams');

  await row.click();
  await drawer.waitFor();
  await page.keyboard.press('Escape');
  await drawer.waitFor({ state: 'detached' });
  await page.goBack();
  await page.waitForURL(`${url}/alerts`);
});

async function paintOf({ page }: Tab, url: string): Promise<number> {
  await page.goto(url);
  return Number(await page.evaluate(PAINT));
}

/** What the machine needs for a page with a word on it. */
function openBarePage(): Promise<Listening> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<!doctype html><link rel="icon" href="data:,"><title>bare</title><p>Hello');
  });
  return listening(server);
}
