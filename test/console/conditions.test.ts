// the condition of a filter: written, explained where it is wrong, previewed, saved, changed and removed
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import { axeFaults } from '../support/axe.ts';
import { browserOfFile, type TabOptions } from '../support/browser.ts';
import { openCommandedConsumers } from '../support/commandedConsumers.ts';
import { openPage } from '../support/consolePage.ts';
import type { ConsumersApi } from '../support/consumers.ts';
import { isFocused, saidOf } from '../support/fieldFaults.ts';
import { serve, type Served } from '../support/serve.ts';

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;
beforeAll(async () => {
  opened = await openCommandedConsumers();
  site = await serve(opened.api);
  await append([
    { amount: 500 },
    { amount: 20 },
    { amount: 'much' },
    { total: 900 },
    { amount: 101 },
  ]);
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

/** Appends events of a collection, each named by its place: `o0`, `o1`. */
async function append(all: object[]): Promise<void> {
  await opened.api.appender.events(
    all.map((data, at) => ({
      eventId: newId(),
      event: 'created' as const,
      syncId: 's1',
      collectionId: 'shop:order',
      upstreamId: `o${at}`,
      data: JSON.stringify(data),
      changes: null,
      upstreamUpdatedAt: null,
    })),
  );
}

async function openSigned(path: string, options: TabOptions = {}) {
  // A refused preview is a refused load to the browser.
  const tab = await openTab({ expected: [/422/u], ...options });
  await site.signIn(tab.context);
  await openPage(tab.page, `${site.url}${path}`);
  return tab;
}

const condition = (page: Page) => page.getByRole('textbox', { name: 'Condition' });
const preview = (page: Page) =>
  page.locator('section').filter({ has: page.getByRole('heading', { name: 'Preview' }) });
const place = (page: Page) => page.locator('[data-place] mark');

test('a new consumer gets a condition, which is explained where it is wrong, and tried on the newest entries while it is written', async () => {
  await using tab = await openSigned(`/consumers/new?target=${opened.targetId}&step=4`);
  const { page } = tab;
  await page.getByRole('button', { name: 'Add a condition' }).click();
  await expect.poll(() => condition(page).evaluate(isFocused)).toBe(true);
  await condition(page).fill('event.data.amount > 100 &&\n  amout < 1000');
  await expect
    .poll(() => saidOf(condition(page)))
    .toBe(
      'Line 2, column 3: There is no variable amout. The variables of this stream are event and changes. A field of the data is written as event.data.amout.',
    );
  await expect.poll(() => place(page).innerText()).toBe('amout');
  expect(await axeFaults(page)).toEqual([]);
  await page.getByRole('button', { name: 'Go to this place' }).click();
  await page.keyboard.type('event.data.amount');
  await expect
    .poll(() => condition(page).inputValue())
    .toBe('event.data.amount > 100 &&\n  event.data.amount < 1000');
  await expect.poll(() => saidOf(condition(page))).toBeNull();

  await preview(page).getByText('2 of the last 5 events would have been sent (40 %).').waitFor();
  await preview(page).getByText('5 pass the lists.').waitFor();
  await preview(page).getByText('could not be evaluated for 2 entries').waitFor();
  const left = preview(page).getByRole('region', { name: 'Left out by the condition' });
  await expect
    .poll(() => left.getByRole('listitem').allInnerTexts())
    .toEqual([
      expect.stringMatching(/o3[\s\S]*▲ There is no field "amount"/u),
      expect.stringMatching(/o2[\s\S]*types/u),
      expect.stringMatching(/o1[\s\S]*The condition is false\./u),
    ]);
  const sent = preview(page).getByRole('region', { name: 'Would be sent' });
  await expect.poll(() => sent.getByRole('listitem').count()).toBe(2);
  await left.getByText('o3', { exact: true }).click();
  await left.getByLabel('o3 as JSON').getByText('"total": 900').waitFor();
  expect(await axeFaults(page)).toEqual([]);

  // A reload loses nothing, and the steps behind it say what was written.
  await page.reload();
  await expect.poll(() => condition(page).inputValue()).toContain('< 1000');
  await page.getByRole('button', { name: 'Skip to save' }).click();
  await page.getByRole('definition').getByText('event.data.amount > 100').waitFor();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.waitForURL(/\/consumers\/[0-9a-f-]{36}$/u);
  const id = new URL(page.url()).pathname.split('/').at(-1) ?? '';
  expect((await opened.read(id)).where).toBe(
    'event.data.amount > 100 &&\n  event.data.amount < 1000',
  );
});

test('a condition that is too long says so at its field, beside what came of the one before', async () => {
  await using tab = await openSigned(`/consumers/new?target=${opened.targetId}&step=4`);
  const { page } = tab;
  await page.getByRole('button', { name: 'Add a condition' }).click();
  await condition(page).fill('event.data.amount > 100');
  await preview(page).getByText('of the last 5 events would have been sent').waitFor();
  await condition(page).fill('é'.repeat(2_049));
  await expect.poll(() => saidOf(condition(page))).toBe('An expression has at most 4,096 bytes.');
  await preview(page).getByText("The condition can't be tried.").waitFor();
  expect(await preview(page).getByText('where must').count()).toBe(0);
});

test('a wrong condition keeps its step, and is led back to from the last one', async () => {
  await using tab = await openSigned(`/consumers/new?target=${opened.targetId}&step=4`);
  const { page } = tab;
  await page.getByRole('button', { name: 'Add a condition' }).click();
  await condition(page).fill('event.data.amount >');
  await expect.poll(() => saidOf(condition(page))).toMatch(/^Line 1, column 20: .+\.$/u);
  await page.getByRole('button', { name: 'Next: select start position' }).click();
  await expect.poll(() => condition(page).evaluate(isFocused)).toBe(true);
  expect(new URL(page.url()).searchParams.get('step')).toBe('4');
  // The last step tries it again, with a body. What is known of it stays known meanwhile.
  const isTried = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  await page.route('**/v1/consumers/preview', async (route) => {
    if (route.request().postDataJSON().body === undefined) return route.continue();
    isTried.resolve();
    await gate.promise;
    return route.continue();
  });
  await page.getByRole('button', { name: 'Skip to save' }).click();
  await isTried.promise;
  await page.getByRole('heading', { name: '6. Save' }).waitFor();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('heading', { name: '4. Select event types' }).waitFor();
  gate.resolve();
  await expect.poll(() => condition(page).evaluate(isFocused)).toBe(true);
  await page.getByRole('button', { name: 'Remove condition' }).click();
  await expect
    .poll(() => page.getByRole('button', { name: 'Add a condition' }).evaluate(isFocused))
    .toBe(true);
  await page.getByRole('button', { name: 'Next: select start position' }).click();
  await page.getByRole('heading', { name: '5. Select start position' }).waitFor();
});

test('the condition of a consumer is added from an example, changed and removed on its page, each as a version of its filter', async () => {
  const { id } = await opened.create({ name: 'Orders' });
  await using tab = await openSigned(`/consumers/${id}?tab=filter`);
  const { page } = tab;
  const edit = page.getByRole('button', { name: 'Edit filter' });
  const save = page.getByRole('button', { name: 'Save filter' });
  await edit.click();
  await page.getByRole('button', { name: 'Add a condition' }).click();
  await condition(page).waitFor();
  await expect.poll(() => save.isDisabled()).toBe(true); // nothing is written yet
  await page.getByRole('button', { name: 'event.data.amount > 100', exact: true }).click();
  await expect.poll(() => condition(page).inputValue()).toBe('event.data.amount > 100');
  await preview(page).getByText('2 of the last 5 events would have been sent').waitFor();
  await save.click();
  await page.getByText('Filter saved (version 2)').waitFor();
  await page
    .getByRole('definition')
    .getByText('event.data.amount > 100', { exact: true })
    .waitFor();
  expect(await opened.read(id)).toMatchObject({
    where: 'event.data.amount > 100',
    filter_version: 2,
    collections: ['*'],
  });

  // With a list that is replaced as a whole, which goes another way.
  await edit.click();
  await condition(page).fill('event.data.amount > 400');
  const collections = page
    .locator('section')
    .filter({ has: page.getByRole('heading', { name: 'Collections' }) });
  await collections.getByLabel('Selected collections').check();
  await collections.getByLabel('shop:order').check();
  await save.click();
  await page.getByText('Filter saved (version 3)').waitFor();
  expect(await opened.read(id)).toMatchObject({
    where: 'event.data.amount > 400',
    collections: ['shop:order'],
  });

  await edit.click();
  await page.getByRole('button', { name: 'Remove condition' }).click();
  await save.click();
  await page.getByText('Filter saved (version 4)').waitFor();
  expect((await opened.read(id)).where).toBeNull();
  await page.getByRole('tab', { name: 'Changes' }).click();
  await page.getByText('Filter: no condition any more').waitFor();
  await page.getByText('Filter: condition event.data.amount > 100').waitFor();
  expect(await axeFaults(page)).toEqual([]);
});

test('evaluations that fail are told on the page with an example, and lead to the filter', async () => {
  const { id } = await opened.create({ name: 'Faulty', where: 'event.data.amount > 100' });
  await opened.api.db.query({
    text: `insert into condition_faults (consumer_id, filter_version, entries, since, at, position, detail)
           values ($1, 1, 2, now(), now(), 4, 'There is no field "amount" (line 1, column 12).')`,
    values: [id],
  });
  await using tab = await openSigned(`/consumers/${id}`);
  const { page } = tab;
  const note = page.getByRole('list', { name: 'Notes' }).getByRole('link', {
    name: /The condition could not be evaluated for 2 entries .* position 4: There is no field "amount"/u,
  });
  await note.click();
  await page.getByRole('button', { name: 'Edit filter' }).waitFor();
  expect(new URL(page.url()).searchParams.get('tab')).toBe('filter');
});

test.each([
  ['light', 400],
  ['dark', 400],
  ['dark', 1280],
] as const)(
  'in the %s theme at %i pixels nothing is wider than the window',
  async (colorScheme, width) => {
    const { id } = await opened.create({ where: `event.data.${'long_name.'.repeat(12)}x == "😀"` });
    await using tab = await openSigned(`/consumers/${id}?tab=filter`, {
      colorScheme,
      viewport: { width, height: 800 },
    });
    const { page } = tab;
    await page.getByRole('button', { name: 'Edit filter' }).click();
    await condition(page).press('End');
    await condition(page).press('Control+End');
    await page.keyboard.type(' &&');
    await expect.poll(() => saidOf(condition(page))).toMatch(/^Line 1, column \d+: .+\.$/u);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    expect(await axeFaults(page)).toEqual([]);
  },
);
