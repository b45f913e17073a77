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

test('a resumed consumer says how many entries wait or that nothing was waiting, and one that is well has nothing to retry', async () => {
  const held = await opened.create({ name: 'Held', syncs: ['held'] });
  const idle = await opened.create({ name: 'Idle', syncs: ['idle'] });
  await opened.append('held', 312);
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  for (const [{ id }, said] of [
    [held, 'Held is active again; 312 entries wait.'],
    [idle, 'Idle is active again; nothing was waiting.'],
  ] as const) {
    await openPage(page, `${site.url}/consumers/${id}`);
    const dialog = page.getByRole('dialog');
    const click = async (name: string): Promise<void> => {
      await page.getByRole('button', { name, exact: true }).click();
      await dialog.getByRole('button', { name, exact: true }).click();
      await dialog.waitFor({ state: 'detached' });
    };
    await click('Pause');
    await page
      .getByRole('status')
      .getByText(/ is paused: no new requests start; /u)
      .waitFor();
    await click('Resume');
    await page.getByRole('status').getByText(said).waitFor();
    await page.getByRole('button', { name: 'Pause', exact: true }).waitFor();
    expect(await page.getByRole('button', { name: 'Retry now' }).count()).toBe(0);
    await page.keyboard.press('r');
    expect(await dialog.count()).toBe(0);
  }
});
