// every page, whatever the width of the window and the number of consumers
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { browserOfFile } from '../support/browser.ts';
import { goTo, openPage } from '../support/consolePage.ts';
import { insertPastOf } from '../support/consumerPast.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { insertCrowd } from '../support/crowd.ts';
import { cutTexts } from '../support/cutTexts.ts';
import { drawnTexts, RECORD_TEXTS } from '../support/drawnTexts.ts';
import { everyPage } from '../support/everyPage.ts';
import { shareOf } from '../support/long.ts';
import { serve, type Served } from '../support/serve.ts';

const WIDTHS = [400, 1280, 1920];
const COUNTS = [
  ['no consumer', 'none'],
  ['one consumer', 'one'],
  ['10,000 consumers', 'many'],
] as const;
const NAME = 'Orders of the warehouse in Accra, to the import of the shop in Frankfurt am Main';

const openTab = browserOfFile();

describe.each(COUNTS)('with %s', (title, many) => {
  let opened: ConsumersApi;
  let site: Served;
  let pages: [name: string, path: string][];
  beforeAll(async () => {
    opened = await openConsumersApi();
    site = await serve(opened.api);
    if (many === 'none') {
      await opened.api.db.query('delete from targets');
      pages = everyPage(null);
      return;
    }
    const { id } = await opened.create({ name: NAME });
    const past = await insertPastOf(opened, id);
    pages = everyPage({ consumer: id, target: opened.targetId, ...past });
    if (many === 'many') await insertCrowd(opened.databaseUrl, id);
  });
  afterAll(async () => {
    await site[Symbol.asyncDispose]();
    await opened[Symbol.asyncDispose]();
  });

  // The tab fails the test on whatever the browser complains of. In the short form a page has each width with another
  // number of consumers.
  test.each(WIDTHS)(
    'at %i pixels no page is wider than the window, and no text is cut off',
    async (width) => {
      await using tab = await openTab({ viewport: { width, height: 900 } });
      const { page, context } = tab;
      await page.addInitScript({ content: RECORD_TEXTS });
      await site.signIn(context);
      const faults: string[] = [];
      const turn = COUNTS.findIndex(([one]) => one === title) + WIDTHS.indexOf(width);
      await openPage(page, site.url);
      for (const [name, path] of shareOf(pages, turn, WIDTHS.length)) {
        await goTo(page, path);
        faults.push(...(await faultsOf(page, width)).map((one) => `${name}: ${one}`));
      }
      expect(faults).toEqual([]);
    },
    300_000,
  );
});

async function faultsOf(page: Page, width: number): Promise<string[]> {
  const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
  const drawn = await drawnTexts(page);
  return [
    ...(wide > width ? [`is ${wide} pixels wide`] : []),
    ...(await cutTexts(page)),
    ...(await tabsOutside(page, width)),
    ...drawn
      .filter(({ left, right, width: canvas }) => left < -1 || right > canvas + 1)
      .map(({ text }) => `"${text}" on a chart`),
  ];
}

/** The tabs that are not wholly within the window: people would not know that there are more. */
async function tabsOutside(page: Page, width: number): Promise<string[]> {
  const outside = await page.evaluate<string[]>(`[...document.querySelectorAll('[role=tab]')]
    .filter((tab) => {
      const { left, right } = tab.getBoundingClientRect();
      return tab.checkVisibility() && (left < 0 || right > ${width});
    })
    .map((tab) => tab.innerText)`);
  return outside.map((tab) => `the tab "${tab}" is out of sight`);
}

test('a text that is cut off would be noticed, and one with an ellipsis, or that can be scrolled to, is not', async () => {
  await using tab = await openTab();
  const { page } = tab;
  const box = (style: string, text: string): string =>
    `<div style="width: 60px; white-space: nowrap; ${style}">${text}</div>`;
  await page.setContent(
    box('overflow: hidden', 'cut off at its right side') +
      box('overflow: hidden; direction: rtl', 'cut off at its left side') +
      `<table style="table-layout: fixed; width: 60px"><td>${box('', 'wider than its cell')}</td></table>` +
      box('overflow: hidden; text-overflow: ellipsis', 'shortened in sight of everyone') +
      box('overflow: auto', 'scrolled to where it goes on') +
      box('width: 1px; overflow: hidden', 'for screen readers') +
      box('overflow: hidden; visibility: hidden', 'not shown at all') +
      box('overflow: hidden', 'short'),
  );
  const texts = (await cutTexts(page)).map((line) => /^"(.*)"/u.exec(line)?.[1]);
  expect(texts).toEqual([
    'cut off at its right side',
    'cut off at its left side',
    'wider than its cell',
  ]);
});
