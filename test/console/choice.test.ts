// one of many, chosen by typing while the API is still asked
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { browserOfFile } from '../support/browser.ts';
import { openCommandedConsumers } from '../support/commandedConsumers.ts';
import { openPage } from '../support/consolePage.ts';
import type { ConsumersApi } from '../support/consumers.ts';
import { serve, type Served } from '../support/serve.ts';

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;
beforeAll(async () => {
  opened = await openCommandedConsumers();
  site = await serve(opened.api);
  for (const name of ['Beta one', 'Beta two', 'Alpha']) await opened.create({ name });
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

/** Opens the choice of a consumer, types, and keeps the answer under way; `answer` lets it come. */
async function openAsked(page: Page, text: string) {
  const asked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  await page.route(new RegExp(`/v1/consumers\\?.*q=${text}`, 'u'), async (route) => {
    asked.resolve();
    await gate.promise;
    return route.continue();
  });
  await openPage(page, `${site.url}/dead-letters`);
  const choice = page.getByRole('combobox', { name: 'Consumer' });
  await choice.click();
  const options = page.getByRole('option');
  await expect.poll(() => options.count()).toBe(3);
  const all = await options.allTextContents();
  await choice.fill(text);
  const answer = async (): Promise<void> => {
    await asked.promise;
    gate.resolve();
  };
  return { all, options, answer };
}

const chosen = (page: Page): Promise<string> =>
  page.getByRole('combobox', { name: 'Consumer' }).inputValue();

test('Enter takes an option that was found for what was typed, although the answer comes after it', async () => {
  await using tab = await openTab();
  const { page } = tab;
  await site.signIn(tab.context);
  const { all, answer } = await openAsked(page, 'Beta');
  expect(all[0]).toContain('Alpha'); // Enter would take it if it did not wait
  await page.keyboard.press('Enter');
  await answer();
  await expect.poll(() => chosen(page)).toMatch(/^Beta/u);
});

test('Enter takes the option that the arrows have come to, although others are found meanwhile', async () => {
  await using tab = await openTab();
  const { page } = tab;
  await site.signIn(tab.context);
  const { all, options, answer } = await openAsked(page, 'Beta');
  const last = all[2]?.startsWith('Beta one') === true ? 'Beta one' : 'Beta two';
  for (let step = 0; step < 3; step += 1) await page.keyboard.press('ArrowDown');
  await answer();
  await expect.poll(() => options.count()).toBe(2);
  await page.keyboard.press('Enter');
  await expect.poll(() => chosen(page)).toBe(last);
});
