// what a consumer's requests carry: its body, with a sample, and batches
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { axeFaults } from '../support/axe.ts';
import { browserOfFile, type TabOptions } from '../support/browser.ts';
import { openCommandedConsumers } from '../support/commandedConsumers.ts';
import { openPage, saidOnce } from '../support/consolePage.ts';
import type { ConsumersApi } from '../support/consumers.ts';
import { isFocused, saidOf } from '../support/fieldFaults.ts';
import { serve, type Served } from '../support/serve.ts';

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;
beforeAll(async () => {
  opened = await openCommandedConsumers();
  site = await serve(opened.api);
  const event = { sync_id: 's1', collection_id: 'shop:customer', event: 'created' };
  await opened.api.request('POST', '/v1/events', {
    events: [{ ...event, upstream_id: 'c1', data: { name: 'Ada', email: 'ada@example.com' } }],
  });
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

async function openSigned(path: string, options: TabOptions = {}) {
  const tab = await openTab({ expected: [/422/u], ...options });
  await site.signIn(tab.context);
  await openPage(tab.page, `${site.url}${path}`);
  return tab;
}

const kind = (page: Page, name: string) =>
  page.getByRole('radio', { name: new RegExp(`^${name}`, 'u') });
const expression = (page: Page) => page.getByRole('textbox', { name: 'Expression' });
const sample = (page: Page) => page.getByLabel('Sample: the newest match');
const saved = async (page: Page): Promise<void> => {
  await page.getByRole('button', { name: 'Save changes' }).click();
  await saidOnce(page, 'Saved');
};

test('the body of a consumer is chosen on its page, each kind with a sample of what would be sent, and saved', async () => {
  const { id } = await opened.create({ name: 'Bodies' });
  await using tab = await openSigned(`/consumers/${id}?tab=settings`);
  const { page } = tab;
  await expect.poll(() => kind(page, 'Full').isChecked()).toBe(true);
  await sample(page).getByText('"email":"ada@example.com"').waitFor();

  await kind(page, 'Thin').check();
  await expect.poll(() => sample(page).textContent()).not.toContain('"data"');
  await expect.poll(() => sample(page).textContent()).toContain('"upstream_id":"c1"');
  await saved(page);
  expect((await opened.read(id)).body).toEqual({ mode: 'thin' });

  await kind(page, 'CloudEvents').check();
  await page.getByText('application/cloudevents+json; charset=utf-8').waitFor();
  await sample(page).getByText('"specversion":"1.0"').waitFor();

  await kind(page, 'Fields').check();
  const pointers = page.getByLabel('Pointers');
  await page.getByRole('button', { name: 'Save changes' }).click();
  await expect
    .poll(() => saidOf(pointers))
    .toBe('Fill in at least one pointer, such as /data/email.');
  await expect.poll(() => pointers.evaluate(isFocused)).toBe(true);
  await pointers.fill('data.email');
  await page.getByRole('button', { name: 'Save changes' }).click();
  await expect
    .poll(() => saidOf(pointers))
    .toBe('Line 1: “data.email” must begin with /data or /changes: write /data/email.');
  await pointers.fill('/data/email\n');
  await expect.poll(() => sample(page).textContent()).not.toContain('Ada');
  await sample(page).getByText('"data":{"email":"ada@example.com"}').waitFor();
  expect(await axeFaults(page)).toEqual([]);
  await saved(page);
  expect((await opened.read(id)).body).toEqual({ mode: 'fields', pointers: ['/data/email'] });

  // What was filled in for one kind is there again once it is chosen again.
  await kind(page, 'Full').check();
  await kind(page, 'Fields').check();
  await expect.poll(() => pointers.inputValue()).toBe('/data/email');
  await page.getByRole('tab', { name: 'Changes' }).click();
  await page.getByText('Settings: body').first().waitFor();
});

test('an expression is explained where it is wrong, an entry of which it makes no body is told, and what it makes is shown and saved', async () => {
  const { id } = await opened.create({ name: 'Mapped' });
  await using tab = await openSigned(`/consumers/${id}?tab=settings`);
  const { page } = tab;
  await kind(page, 'Map').check();
  await page.getByRole('button', { name: /event\.upstream_id \+ " was "/u }).click();
  await expect.poll(() => sample(page).textContent()).toBe('{"text":"c1 was created"}');

  await expression(page).fill('{"text": event.data.name +}');
  await expect.poll(() => saidOf(expression(page))).toMatch(/^Line 1, column 27: .+\.$/u);
  await expect.poll(() => page.locator('[data-place] mark').innerText()).toBe('}');
  expect(await axeFaults(page)).toEqual([]);
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page
    .getByRole('alert')
    .getByText(/body\.expression, line 1, column 27: /u)
    .waitFor();
  expect((await opened.read(id)).body).toEqual({ mode: 'full' });

  await expression(page).fill('{"text": event.data.phone}');
  await page
    .getByText(/No body can be made of the newest match, so it would be parked: .*"phone"/u)
    .waitFor();
  await expression(page).fill('{"text": event.data.name}');
  await expect.poll(() => sample(page).textContent()).toBe('{"text":"Ada"}');
  await saved(page);
  expect((await opened.read(id)).body).toEqual({
    mode: 'map',
    expression: '{"text": event.data.name}',
  });
});

test('batches are turned on with limits that can be saved as they are, refused beyond the limits, and turned off', async () => {
  const { id } = await opened.create({ name: 'Batches' });
  await using tab = await openSigned(`/consumers/${id}?tab=settings`);
  const { page } = tab;
  await page.getByText('{"events":[…]}').waitFor();
  const several = page.getByRole('checkbox', { name: 'Send several entries with one request' });
  await expect.poll(() => sample(page).textContent()).toMatch(/^\{"event":\{.+\}\}$/u);
  await several.check();
  await expect.poll(() => sample(page).textContent()).toMatch(/^\{"events":\[\{.+\}\]\}$/u);
  await kind(page, 'Map').check();
  await expression(page).fill('event.data.name');
  await expect.poll(() => sample(page).textContent()).toBe('{"events":["Ada"]}');
  await page.getByText('in the envelope of batches').waitFor();
  await kind(page, 'Full').check();
  const size = page.getByLabel('Max size (KB)');
  await expect.poll(() => size.inputValue()).toBe('1024');
  await saved(page);
  expect((await opened.read(id)).batch).toEqual({
    max_entries: 100,
    max_bytes: 1_048_576,
    max_wait_ms: 200,
  });
  await size.fill('9000');
  await page.getByRole('button', { name: 'Save changes' }).click();
  await expect
    .poll(() => saidOf(size))
    .toBe('The size in KB must be a whole number from 1 to 8,192.');
  expect(await axeFaults(page)).toEqual([]);
  await size.fill('2');
  await saved(page);
  expect((await opened.read(id)).batch.max_bytes).toBe(2_048);
  await several.uncheck();
  await saved(page);
  expect((await opened.read(id)).batch).toBeNull();
  await page.getByRole('tab', { name: 'Changes' }).click();
  await page.getByText('Settings: no batches').waitFor();
  await page.getByText('Settings: batches of up to 100 entries').first().waitFor();
});

test('a new consumer gets its body and its batches with its last step, and a duplicate takes them over', async () => {
  await using tab = await openSigned(`/consumers/new?target=${opened.targetId}&step=6`);
  const { page } = tab;
  await page.getByRole('button', { name: 'Choose another body, or batches' }).click();
  await kind(page, 'Map').check();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect
    .poll(() => saidOf(expression(page)))
    .toBe('Fill in an expression: its result is what is sent.');
  await expression(page).fill('{"id": event.upstream_id}');
  await expect.poll(() => sample(page).textContent()).toBe('{"id":"c1"}');
  await page.getByRole('checkbox', { name: 'Send several entries with one request' }).check();
  await expect.poll(() => sample(page).textContent()).toBe('{"events":[{"id":"c1"}]}');
  await page.getByLabel('Max entries').fill('7');
  await page.reload();
  await expect.poll(() => page.getByLabel('Max entries').inputValue()).toBe('7');
  await expect.poll(() => expression(page).inputValue()).toBe('{"id": event.upstream_id}');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.waitForURL(/\/consumers\/[0-9a-f-]{36}$/u);
  const id = new URL(page.url()).pathname.split('/').at(-1) ?? '';
  const shape = {
    body: { mode: 'map', expression: '{"id": event.upstream_id}' },
    batch: { max_entries: 7, max_bytes: 1_048_576, max_wait_ms: 200 },
  };
  expect(await opened.read(id)).toMatchObject(shape);

  await openPage(page, `${site.url}/consumers/new?like=${id}&step=6`);
  await page.getByLabel('Max entries').waitFor();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.waitForURL(/\/consumers\/[0-9a-f-]{36}$/u);
  const copy = new URL(page.url()).pathname.split('/').at(-1) ?? '';
  expect(copy).not.toBe(id);
  expect(await opened.read(copy)).toMatchObject(shape);
});

test.each([
  ['light', 400],
  ['dark', 1280],
] as const)(
  'in the %s theme at %i pixels nothing is wider than the window',
  async (colorScheme, width) => {
    const body = { mode: 'map', expression: `{"text": event.data.${'long_name.'.repeat(12)}x}` };
    const batch = { max_entries: 9 };
    const { id } = await opened.create({ body, batch });
    await using tab = await openSigned(`/consumers/${id}?tab=settings`, {
      colorScheme,
      viewport: { width, height: 800 },
    });
    const { page } = tab;
    await page.getByText('No body can be made of the newest match').waitFor();
    await expression(page).fill(`${body.expression.slice(0, -1)} +}`);
    await expect.poll(() => saidOf(expression(page))).toMatch(/^Line 1, column \d+: .+\.$/u);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    expect(await axeFaults(page)).toEqual([]);
  },
);
