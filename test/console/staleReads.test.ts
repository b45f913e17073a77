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

test('the page of a consumer that is being deleted stays until the list is shown, although it may be gone before', async () => {
  const { id } = await opened.create({ name: 'Gone' });
  await using tab = await openTab({ isAlone: true, expected: [/404/u] });
  const { page } = tab;
  await site.signIn(tab.context);
  await page.clock.install();
  await openPage(page, `${site.url}/consumers/${id}?tab=settings`);
  const gone = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let reads = 0;
  await page.route(new RegExp(`/v1/consumers/${id}$`, 'u'), async (route) => {
    if (route.request().method() !== 'DELETE') {
      reads += 1;
      return route.continue();
    }
    const response = await route.fetch();
    gone.resolve();
    await gate.promise;
    return route.fulfill({ response });
  });
  await expect.poll(() => reads).toBeGreaterThan(0); // every 2 s
  await page.getByRole('button', { name: 'Delete consumer' }).click();
  const dialog = page.getByRole('dialog', { name: 'Delete Gone?' });
  await dialog.getByRole('button', { name: 'Delete', exact: true }).click();
  await gone.promise;
  const before = reads;
  await page.clock.fastForward(10_000);
  await page.evaluate("fetch('/readyz')"); // whatever was read before it has been seen here
  expect(reads).toBe(before);
  expect(await dialog.count()).toBe(1);
  gate.resolve();
  await page.waitForURL(`${site.url}/consumers`);
});
