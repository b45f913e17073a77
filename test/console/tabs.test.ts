// what a test finds in its tab of the tests before it: nothing
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { openOwnApp, type OwnApp } from '../support/app.ts';
import { browserOfFile } from '../support/browser.ts';
import { serve, type Served } from '../support/serve.ts';

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

type Found = Record<string, unknown>;

/** What a page and its profile hold. */
async function found(page: Page): Promise<Found> {
  return page.evaluate<Found>(`(async () => ({
    local: { ...localStorage }, session: { ...sessionStorage }, databases: await indexedDB.databases(),
    cookie: document.cookie, clipboard: (await navigator.permissions.query({ name: 'clipboard-read' })).state,
    planted: typeof window.planted, width: innerWidth, history: history.length, isOnLine: navigator.onLine,
    isDark: matchMedia('(prefers-color-scheme: dark)').matches }))()`);
}

/** How many of the page's files did not come from a cache. */
async function loaded(page: Page): Promise<number> {
  return page.evaluate<number>(
    `performance.getEntriesByType('resource').filter((one) => one.name.includes('/assets/') && one.transferSize > 0).length`,
  );
}

/** Each leaves something else in the page or its profile. */
const LEAVE = `(async () => {
  localStorage.setItem('kept', '1');
  sessionStorage.setItem('kept', '1');
  document.cookie = 'kept=1; max-age=1000';
  await new Promise((done) => Object.assign(indexedDB.open('kept'), { onsuccess: done }));
  setInterval(() => console.error('of another page'), 10);
})()`;

test('a tab finds nothing of the one before it but files in the cache, and one that is alone not even these', async () => {
  const expected = [/401|of another page/u];
  const path = `${site.url}/signin`;
  let empty: Found;
  {
    await using tab = await openTab({ expected });
    await tab.page.goto(path);
    empty = await found(tab.page);
    expect(empty).toMatchObject({ local: {}, session: {}, databases: [], cookie: '' });
    expect(await loaded(tab.page)).toBeGreaterThan(1);
  }
  {
    const look = { viewport: { width: 400, height: 800 }, colorScheme: 'dark' } as const;
    await using tab = await openTab({ expected, ...look });
    const { page, context } = tab;
    await site.signIn(context);
    await context.grantPermissions(['clipboard-read']);
    await page.addInitScript({ content: 'window.planted = 1' });
    await page.goto(path);
    await page.goto(`${path}#again`);
    await page.evaluate(LEAVE);
    const [other] = await Promise.all([
      context.waitForEvent('page'),
      page.evaluate(`void open('/signin')`),
    ]);
    await other.waitForLoadState();
    await context.setOffline(true);
    const left = await found(page);
    expect(Object.keys(empty).filter((one) => isSame(left[one], empty[one]))).toEqual([]);
    expect(await context.cookies()).toHaveLength(2);
  }
  {
    await using tab = await openTab({ expected: [/401/u] });
    const { page, context } = tab;
    await page.goto(path);
    expect(await found(page)).toEqual(empty);
    expect(await loaded(page)).toBe(0);
    expect(await context.cookies()).toEqual([]);
    expect((await context.request.get(`${site.url}/v1/session`)).status()).toBe(401);
  }
  await using tab = await openTab({ expected: [/401/u], isAlone: true });
  await tab.page.goto(path);
  expect(await loaded(tab.page)).toBeGreaterThan(1);
});

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
