import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { serve, type Served } from '../support/serve.ts';

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;
let consumer: string;

beforeAll(async () => {
  opened = await openConsumersApi();
  site = await serve(opened.api);
  consumer = (await opened.create({ name: 'Orders' })).id as string;
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

async function noteOnly(...changes: [action: string, actor: string][]): Promise<void> {
  await opened.api.db.query('delete from changes');
  for (const [action, actor] of changes) {
    await opened.api.db.query({
      text: `insert into changes (id, consumer_id, edit_id, actor, action, detail, version, at)
             values ($1::uuid, $2, $1::text, $3, $4, '{}', 1, now())`,
      values: [randomUUID(), consumer, actor, action],
    });
  }
}

async function openChanges(width: number) {
  const tab = await openTab({ viewport: { width, height: 800 } });
  await site.signIn(tab.context);
  await openPage(tab.page, `${site.url}/settings?tab=changes`);
  return tab;
}

test('the list of changes says who made each, on a phone as well', async () => {
  await noteOnly(['resumed', 'bootstrap'], ['paused', 'ada'], ['retried', 'temporal']);
  for (const width of [1280, 400]) {
    await using tab = await openChanges(width);
    const table = tab.page.getByRole('table', { name: 'changes' });
    await table.waitFor();
    for (const [action, who] of [
      ['Resumed', 'the admin key'],
      ['Paused', 'ada'],
      ['Retried', 'a signal from Temporal'],
    ] as const) {
      const row = table.getByRole('row').filter({ hasText: action });
      await expect.poll(() => row.innerText(), { message: `${width}` }).toContain(who);
    }
    expect(await tab.page.evaluate('document.documentElement.scrollWidth')).toBe(width);
  }
});

test('a change without further detail shows none', async () => {
  await noteOnly(['retried', 'ada']);
  await using tab = await openChanges(1280);
  await tab.page.getByRole('button', { name: 'Retried' }).click();
  const drawer = tab.page.getByRole('dialog', { name: 'Retried by ada' });
  await drawer.getByText('Consumer', { exact: true }).waitFor();
  expect(await drawer.innerText()).not.toMatch(/Detail|\{\}/u);
});

test('where the admin key made changes, the list says how they get the names of people', async () => {
  await noteOnly(['paused', 'ada']);
  await using mine = await openChanges(1280);
  await mine.page.getByRole('table', { name: 'changes' }).waitFor();
  expect(await mine.page.getByText('The admin key is').count()).toBe(0);
  await noteOnly(['paused', 'bootstrap']);
  await using shared = await openChanges(1280);
  await shared.page.getByText('The admin key is that of MILLRACE_API_KEY').waitFor();
  await shared.page.getByRole('link', { name: 'an API key for each person' }).click();
  await shared.page.getByRole('button', { name: 'Create key…' }).first().waitFor();
});
