import type { Page, Request } from 'playwright-core';
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
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

interface Held {
  /** Ends when a read has been answered by the API; its answer is under way to the page from now on. */
  answered: Promise<void>;
  /** Lets the answer arrive, and ends when the page has had it and has been drawn. */
  arrive(): Promise<void>;
}

/** Keeps the answer to the next read of a path under way; all reads after it are answered immediately. */
async function holdAnswer(page: Page, path: RegExp): Promise<Held> {
  const answered = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let held: Request | null = null;
  await page.route(path, async (route) => {
    if (held !== null || route.request().method() !== 'GET') return route.continue();
    held = route.request();
    const response = await route.fetch();
    answered.resolve();
    await gate.promise;
    await route.fulfill({ response });
  });
  return {
    answered: answered.promise,
    arrive: async () => {
      const isHeld = (request: Request): boolean => request === held;
      const ended = [
        page.waitForEvent('requestfinished', isHeld),
        page.waitForEvent('requestfailed', isHeld),
      ];
      gate.resolve();
      await Promise.race(ended);
      await page.evaluate(
        'new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))',
      );
    },
  };
}

test('a read that began before a change does not bring back what was before it', async () => {
  const { id } = await opened.create({ name: 'Orders' });
  await using tab = await openTab();
  const { page } = tab;
  await site.signIn(tab.context);
  await openPage(page, `${site.url}/consumers/${id}?tab=filter`);
  await page.getByRole('button', { name: 'Edit filter' }).click();
  await page.getByRole('button', { name: 'Add a condition' }).click();
  const condition = page.getByRole('textbox', { name: 'Condition' });
  await condition.fill('event.data.amount > 100');
  const read = await holdAnswer(page, new RegExp(`/v1/consumers/${id}$`, 'u'));
  await read.answered;
  await page.getByRole('button', { name: 'Save filter' }).click();
  await page.getByText('Filter saved (version 2)').waitFor();
  await read.arrive();
  await page.getByRole('button', { name: 'Edit filter' }).click();
  expect(await condition.count()).toBe(1);
  expect(await condition.inputValue()).toBe('event.data.amount > 100');
});

test('what is made while a list is read for the first time is in that list', async () => {
  await using tab = await openTab();
  const { page } = tab;
  await site.signIn(tab.context);
  const read = await holdAnswer(page, /\/v1\/api-keys(\?|$)/u);
  await page.goto(`${site.url}/settings?tab=keys`);
  await read.answered;
  await page.getByRole('button', { name: 'Create key…' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill('reader');
  await page.getByRole('button', { name: 'Create key', exact: true }).click();
  await page.getByRole('button', { name: 'Done' }).click();
  await read.arrive();
  await page.getByRole('button', { name: 'Revoke reader' }).waitFor();
  const { body } = await opened.api.request('GET', '/v1/api-keys');
  expect(body.data).toHaveLength(1);
});
