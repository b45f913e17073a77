// the documentation in a browser: search, and what axe says
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createDocs } from '../../src/api/docs.ts';
import type { AppEnv } from '../../src/api/env.ts';
import { createReference } from '../../src/api/reference.ts';
import { createApiServer } from '../../src/api/server.ts';
import { axeFaults } from '../support/axe.ts';
import { browserOfFile } from '../support/browser.ts';
import { listening, type Listening } from '../support/listening.ts';
import { shareOf } from '../support/long.ts';

/** Some of every kind, and one that there is not. */
const PAGES = ['', '/quick-start', '/failures', '/operating', '/errors', '/nothing'];
const SCHEMES = ['light', 'dark'] as const;
const WIDTHS = [400, 1280];

const openTab = browserOfFile();
let server: Listening;

beforeAll(async () => {
  const app = new Hono<AppEnv>().route('/', createReference()).route('/', createDocs());
  server = await listening(createApiServer(app.fetch));
});

afterAll(() => server[Symbol.asyncDispose]());

test('the search finds a word, and its result leads to where the word is', async () => {
  await using tab = await openTab();
  const { page } = tab;
  await page.goto(`${server.url}/docs`);
  const field = page.getByRole('searchbox', { name: 'Search the documentation' });
  await field.fill('idempotency_mismatch');
  await page.getByRole('link', { name: 'Errors: idempotency_mismatch' }).click();
  await page.waitForURL('**/docs/errors#idempotency_mismatch');
  await page.getByRole('heading', { name: 'idempotency_mismatch' }).waitFor();

  await field.fill('nothing has these words qqq');
  await page.getByText('Nothing was found.').waitFor();
  await field.press('Escape');
  await page.getByText('Nothing was found.').waitFor({ state: 'hidden' });
  await field.fill('nat64');
  await page.getByText('1 result:').waitFor();
  await field.press('Enter');
  await page.waitForURL('**/docs/operating#where-webhooks-may-go');
  await expect.poll(() => page.locator('.found').isVisible()).toBe(false);
});

test('without JavaScript the pages can be found in their lists, and no search is shown', async () => {
  await using tab = await openTab({ javaScriptEnabled: false });
  const { page } = tab;
  await page.goto(`${server.url}/docs`);
  expect(await page.getByRole('searchbox').count()).toBe(0);
  await page.getByRole('main').getByRole('link', { name: 'Filters' }).click();
  await page.getByRole('heading', { name: 'Filters', level: 1 }).waitFor();
});

test('a link into the reference at its old address leads to the new one', async () => {
  await using tab = await openTab({ expected: [/v1\/openapi\.json/u] });
  await tab.page.goto(`${server.url}/docs#/Consumers`);
  await tab.page.waitForURL('**/docs/reference#/Consumers');
  expect(await tab.page.title()).toBe('Millrace API');
});

describe.each(SCHEMES)('in the %s', (colorScheme) => {
  // In the short form a page has each width with one of the two.
  test.each(WIDTHS)('axe finds nothing, and nothing is wider than %i pixels', async (width) => {
    await using tab = await openTab({ colorScheme, viewport: { width, height: 900 } });
    const { page } = tab;
    const found: string[] = [];
    const turn = SCHEMES.indexOf(colorScheme) + WIDTHS.indexOf(width);
    for (const path of shareOf(PAGES, turn, 2)) {
      await page.goto(`${server.url}/docs${path}`);
      found.push(...(await axeFaults(page)).map((one) => `${path}: ${one}`));
      const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
      if (wide > width) found.push(`${path} is ${wide} pixels wide`);
      const least = await page.evaluate<number>(SMALLEST);
      if (least < 12) found.push(`${path} has text of ${least} pixels`);
    }
    await page.goto(`${server.url}/docs`);
    await page.getByRole('searchbox').fill('retry');
    await page.locator('.found a').first().waitFor();
    found.push(...(await axeFaults(page)));
    expect(found).toEqual([]);
    tab.complaints.splice(0, Infinity, ...tab.complaints.filter((one) => !one.includes('404')));
  });
});

const SMALLEST = `Math.min(...[...document.querySelectorAll('body *')]
  .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ''))
  .map((one) => Number.parseFloat(getComputedStyle(one).fontSize)))`;
