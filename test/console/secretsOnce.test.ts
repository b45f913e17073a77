import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { serve, type Served } from '../support/serve.ts';

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;

beforeAll(async () => {
  opened = await openConsumersApi();
  site = await serve(opened.api);
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

async function openSigned(path: string) {
  const tab = await openTab();
  await site.signIn(tab.context);
  await openPage(tab.page, `${site.url}${path}`);
  return tab;
}

/** Holds the requests to a path back until `open` is called. */
async function hold(page: Page, path: string): Promise<{ open: () => void }> {
  const gate = Promise.withResolvers<void>();
  await page.route(path, async (route) => {
    if (route.request().method() === 'POST') await gate.promise;
    await route.continue();
  });
  return { open: gate.resolve };
}

/** Presses a button of the window twice and then Escape: all of it before any timer that the first press sets. */
async function pressAndEscape(page: Page, name: string): Promise<void> {
  await page.evaluate(`{
    const buttons = [...document.querySelectorAll('[role=dialog] button')];
    const button = buttons.find((one) => one.textContent === ${JSON.stringify(name)});
    const escape = new KeyboardEvent('keydown', { key: 'Escape', bubbles: true });
    setTimeout(() => button.click());
    setTimeout(() => button.dispatchEvent(escape));
    button.click();
  }`);
}

test('a new signing secret is shown although its window was asked to close right after it was asked for, and it is asked for once', async () => {
  const made = { name: 'Warehouse', base_url: 'https://example.com' };
  const { body: target } = await opened.api.request('POST', '/v1/targets', made);
  await using tab = await openSigned(`/targets/${target.id}?tab=verify`);
  const { page } = tab;
  const { open } = await hold(page, '**/rotate-secret');
  const asked: string[] = [];
  page.on('request', (one) => one.url().endsWith('/rotate-secret') && asked.push(one.url()));
  await page.getByRole('button', { name: 'Rotate secret' }).click();
  const dialog = page.getByRole('dialog');
  await pressAndEscape(page, 'Rotate');
  await page.keyboard.press('Escape');
  open();
  await dialog.getByText(/^whsec_/u).waitFor();
  expect(asked).toHaveLength(1);
});

test('a new API key is shown although its window was asked to close right after it was asked for, and it is made once', async () => {
  await using tab = await openSigned('/settings?tab=keys');
  const { page } = tab;
  const { open } = await hold(page, '**/v1/api-keys');
  await page.getByRole('button', { name: 'Create key' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('CI');
  await pressAndEscape(page, 'Create key');
  await page.keyboard.press('Escape');
  open();
  await page.getByText(/^mk_/u).waitFor();
  const { body } = await opened.api.request('GET', '/v1/api-keys');
  expect(body.data.map(({ name }: { name: string }) => name)).toEqual(['CI']);
});
