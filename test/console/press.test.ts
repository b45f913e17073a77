// a press counts for what was pressed, whatever is loaded above it meanwhile
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { browserOfFile } from '../support/browser.ts';
import { openCommandedConsumers } from '../support/commandedConsumers.ts';
import { openPage, saidOnce } from '../support/consolePage.ts';
import type { ConsumersApi } from '../support/consumers.ts';
import { serve, type Served } from '../support/serve.ts';

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;
beforeAll(async () => {
  opened = await openCommandedConsumers();
  site = await serve(opened.api);
  const event = { sync_id: 's1', collection_id: 'shop:customer', event: 'created' };
  await opened.api.request('POST', '/v1/events', {
    events: [{ ...event, upstream_id: 'c1', data: { name: 'Ada' } }],
  });
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

/** Opens the settings of a consumer, where a button is below the sample, and keeps the sample under way. */
async function openUnsampled(page: Page, id: string) {
  const gate = Promise.withResolvers<void>();
  await page.route('**/v1/consumers/preview', async (route) => {
    await gate.promise;
    await route.continue();
  });
  await openPage(page, `${site.url}/consumers/${id}?tab=settings`);
  await page.getByRole('radio', { name: /^Thin/u }).check();
  const save = page.getByRole('button', { name: 'Save changes' });
  /** Lets the sample arrive, and ends once the button has moved below it. */
  const arrive = async (): Promise<void> => {
    const before = await topOf(save);
    gate.resolve();
    await page.getByLabel('Sample: the newest match').waitFor();
    await expect.poll(() => topOf(save)).toBeGreaterThan(before + 50);
  };
  return { save, arrive };
}

async function topOf(element: Locator): Promise<number> {
  return (await element.boundingBox())?.y ?? 0;
}

test('a button that moves away while it is pressed does what it was pressed for, once', async () => {
  const { id } = await opened.create({ name: 'Moved' });
  await using tab = await openTab();
  const { page } = tab;
  await site.signIn(tab.context);
  const changes: string[] = [];
  page.on('request', (request) => {
    if (request.method() === 'PATCH') changes.push(request.url());
  });
  const { save, arrive } = await openUnsampled(page, id);
  await save.hover();
  await page.mouse.down();
  await arrive();
  await page.mouse.up();
  await saidOnce(page, 'Saved');
  expect((await opened.read(id)).body).toEqual({ mode: 'thin' });
  expect(changes).toHaveLength(1);
});

test('a button does nothing when the mouse moves away from it before it is up', async () => {
  const { id } = await opened.create({ name: 'Left' });
  await using tab = await openTab();
  const { page } = tab;
  await site.signIn(tab.context);
  const { save, arrive } = await openUnsampled(page, id);
  await save.hover();
  await page.mouse.down();
  await arrive();
  const { x = 0, y = 0, height = 0 } = (await save.boundingBox()) ?? {};
  await page.mouse.move(x, y + 3 * height);
  await page.mouse.up();
  await save.click();
  await saidOnce(page, 'Saved');
  const { body } = await opened.api.request('GET', `/v1/changes?consumer_id=${id}`);
  const saves = (body.data as { action: string }[]).filter(({ action }) => action !== 'created');
  expect(saves).toHaveLength(1);
});
