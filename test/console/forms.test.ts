import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';

import { BLANK, CONSUMER_FORM } from '../../src/console/consumers/draft.ts';
import { parseKept, printKept } from '../../src/console/keptForm.ts';
import * as target from '../../src/console/targets/draft.ts';
import { openOwnApp, type TestApp } from '../support/app.ts';
import { browserOfFile } from '../support/browser.ts';
import { serve } from '../support/serve.ts';

/** On a machine that is busy. */
const PATIENT = { timeout: 15_000 };

const openTab = browserOfFile();

test('the wizard continues after a reload and after visits to other pages; saving it or starting over discards it', async () => {
  await using api = await openOwnApp();
  await using site = await serve(api);
  const first = await targetNamed(api, 'First endpoint');
  await targetNamed(api, 'Second endpoint');
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  await page.goto(`${site.url}/consumers/new?target=${first}`);
  await page.getByRole('radio', { name: /First/u }).waitFor();
  await expect.poll(() => kept(page), { message: 'before anything was filled in' }).toBe('{}');

  await page.getByRole('button', { name: '2. Select syncs' }).click();
  await page.getByLabel('Selected syncs').check();
  await page.getByLabel('Search syncs').fill('shop');
  await page.getByRole('button', { name: 'Add “shop”' }).click();
  await page.getByRole('button', { name: '6. Save' }).click();
  const name = page.getByLabel('Name', { exact: true });
  await name.fill('Shop to first');
  await page.reload();
  await expect.poll(() => name.inputValue(), PATIENT).toBe('Shop to first');
  await page.getByRole('definition').getByText('shop', { exact: true }).waitFor();

  await page.getByRole('link', { name: 'Alerts' }).click();
  await page.getByRole('heading', { name: 'Alerts' }).waitFor();
  await page.goBack();
  await expect.poll(() => name.inputValue(), PATIENT).toBe('Shop to first');

  await page.getByRole('link', { name: 'Consumers' }).click();
  await page.getByRole('button', { name: 'Add new' }).first().click();
  await page.getByRole('menuitem', { name: 'Webhooks' }).click();
  await page.getByText('Your unsaved draft was restored.').waitFor();
  await expect.poll(() => page.getByRole('radio', { name: /First/u }).isChecked()).toBe(true);
  await page.getByRole('radio', { name: /Second/u }).check();
  await page.reload();
  await expect
    .poll(() => page.getByRole('radio', { name: /Second/u }).isChecked(), PATIENT)
    .toBe(true);

  await page.getByRole('button', { name: 'Start over' }).click();
  await expect.poll(() => page.getByRole('radio', { checked: true }).count(), PATIENT).toBe(0);
  await expect.poll(() => kept(page)).toBe('{}');

  await page.getByRole('radio', { name: /Second/u }).check();
  await page.getByRole('button', { name: '6. Save' }).click();
  await name.fill('All to second');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.waitForURL(/\/consumers\/[0-9a-f-]{36}$/u);
  await expect.poll(() => kept(page)).toBe('{}');
});

test('a consumer that is saved again because the answer was lost is created once', async () => {
  await using api = await openOwnApp();
  await using site = await serve(api);
  const target = await targetNamed(api, 'Endpoint');
  await using tab = await openTab({ expected: [/ERR_CONNECTION_RESET/u] });
  const { page, context } = tab;
  await site.signIn(context);
  await page.goto(`${site.url}/consumers/new?target=${target}&step=6`);
  await page.getByLabel('Name', { exact: true }).fill('Only one');
  let lost = 0;
  await page.route('**/v1/consumers', async (route) => {
    if (route.request().method() !== 'POST' || lost > 0) return route.continue();
    await route.fetch(); // the consumer is created
    lost += 1;
    return route.abort('connectionreset');
  });
  const save = page.getByRole('button', { name: 'Save', exact: true });
  await save.click();
  await page.getByRole('alert').getByText('Try again in a moment').waitFor();
  await save.click();
  await page.waitForURL(/\/consumers\/[0-9a-f-]{36}$/u);
  expect(lost).toBe(1);
  const { body } = await api.request('GET', '/v1/consumers');
  expect((body.data as { name: string }[]).map(({ name }) => name)).toEqual(['Only one']);
});

test('while the API does not say what the target is, the wizard stays at its step and calls no target gone', async () => {
  await using api = await openOwnApp();
  await using site = await serve(api);
  const target = await targetNamed(api, 'Endpoint');
  await using tab = await openTab({ expected: [/ERR_CONNECTION_RESET/u] });
  const { page, context } = tab;
  await site.signIn(context);
  let asked = 0;
  await page.route(`**/v1/targets/${target}`, (route) => {
    asked += 1;
    return route.abort('connectionreset');
  });
  await page.goto(`${site.url}/consumers/new?target=${target}&step=2`);
  await expect.poll(() => asked).toBeGreaterThan(2); // as often as a read is repeated
  await page.getByRole('heading', { name: '2. Select syncs' }).waitFor();
  expect(await page.getByText('That target no longer exists.').count()).toBe(0);
});

test('the name is asked for once the one that is proposed is known, and a target that could not be read can be asked for again', async () => {
  await using api = await openOwnApp();
  await using site = await serve(api);
  const target = await targetNamed(api, 'Endpoint');
  await using tab = await openTab({ expected: [/ERR_CONNECTION_RESET/u] });
  const { page, context } = tab;
  await site.signIn(context);
  let isLost = true;
  const held = Promise.withResolvers<void>();
  await page.route(`**/v1/targets/${target}`, async (route) => {
    if (isLost) return route.abort('connectionreset');
    await held.promise;
    return route.continue();
  });
  await page.goto(`${site.url}/consumers/new?target=${target}&step=6`);
  await page.getByRole('alert').getByText('This could not be loaded').waitFor();
  isLost = false;
  await page.getByRole('button', { name: 'Try again' }).click();
  const name = page.getByLabel('Name', { exact: true });
  await page.getByText('Loading the target…').waitFor();
  expect(await name.count()).toBe(0);
  held.resolve();
  await name.waitFor();
  expect(await name.inputValue()).toBe('Events to Endpoint');
  await name.and(page.locator(':focus')).waitFor();
});

test('a duplicate of a consumer has its settings, and after a reload what was changed in it', async () => {
  await using api = await openOwnApp();
  await using site = await serve(api);
  const target_id = await targetNamed(api, 'Endpoint');
  const settings = {
    target_id,
    stream: 'records',
    path: '/in',
    syncs: ['shop'],
    collections: ['stripe:charge'],
    ordering: 'none',
    alert_emails: ['night@example.com'],
    metadata: { team: 'orders' },
  };
  const input = { name: 'Original', start: 'beginning', ...settings };
  const { body: original } = await api.request('POST', '/v1/consumers', input);
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  await page.goto(`${site.url}/consumers/${String(original.id)}?tab=settings`);
  await page.getByRole('term').getByText('team').waitFor(); // its metadata
  await page.getByRole('definition').getByText('orders').waitFor();
  await page.getByRole('link', { name: 'Duplicate' }).click();
  await page.getByText('Filled in like “Original”').waitFor();
  await page.getByRole('button', { name: '6. Save' }).click();
  const name = page.getByLabel('Name', { exact: true });
  await expect.poll(() => name.inputValue()).toBe('Copy of Original');
  await name.fill('Second');
  await expect.poll(() => kept(page), PATIENT).toContain('Second');
  await page.reload();
  await expect.poll(() => name.inputValue(), PATIENT).toBe('Second');
  await page.getByRole('definition').getByText('stripe:charge').waitFor();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.waitForURL(/\/consumers\/[0-9a-f-]{36}$/u);
  const { body } = await api.request('GET', page.url().slice(site.url.length).replace('/', '/v1/'));
  expect(body).toMatchObject({ name: 'Second', ...settings, event_types: ['*'] });
});

test('the form of a new target is kept without its secrets, and discarded when another person signs in', async () => {
  await using api = await openOwnApp();
  await using site = await serve(api);
  await using tab = await openTab({ expected: [/401/u] });
  const { page, context } = tab;
  await site.signIn(context);
  await page.goto(`${site.url}/targets/new`);
  await page.getByLabel('Name', { exact: true }).fill('Our endpoint');
  await page.getByLabel('Base URL').fill('https://example.com/hook');
  await page.getByLabel('Timeout (ms)').fill('5000');
  await page.getByLabel('Type').selectOption('bearer');
  await page.getByLabel('Token', { exact: true }).fill('planted-token');
  await page.getByRole('button', { name: 'Add a header' }).click();
  await page.getByLabel('Header 1', { exact: true }).fill('x-planted');
  await page.getByLabel('Value').fill('planted-header');
  await expect.poll(() => kept(page), PATIENT).toContain('5000');
  expect(await kept(page)).not.toContain('planted');

  await page.reload();
  await page.getByText('Credentials, headers and a client certificate were not').waitFor();
  await expect
    .poll(() => page.getByLabel('Name', { exact: true }).inputValue())
    .toBe('Our endpoint');
  await expect
    .poll(() => page.getByLabel('Base URL').inputValue())
    .toBe('https://example.com/hook');
  await expect.poll(() => page.getByLabel('Timeout (ms)').inputValue()).toBe('5000');
  await expect.poll(() => page.getByLabel('Token', { exact: true }).inputValue()).toBe('');
  expect(await page.getByLabel('Header 1').count()).toBe(0);

  await page.getByRole('button', { name: 'View' }).click();
  await page.getByRole('menuitem', { name: /Sign out/u }).click();
  await page.waitForURL(/\/signin/u);
  await expect.poll(() => kept(page), PATIENT).toBe('{}');
});

test('the form of a new target says beside its fields what is wrong, in sight and without bubbles of the browser, and sends nothing until it is mended', async () => {
  await using api = await openOwnApp();
  await using site = await serve(api);
  await using tab = await openTab({ viewport: { width: 1280, height: 400 } });
  const { page, context } = tab;
  await site.signIn(context);
  await page.goto(`${site.url}/targets/new`);
  const url = page.getByLabel('Base URL');
  const save = page.getByRole('button', { name: 'Save target' });
  await url.fill('http://127.0.0.1:99999/hook');
  await page.getByText('Optional. Left empty, it is the host of the URL.').waitFor();
  await page.getByLabel('Type').selectOption('bearer');
  await save.click();
  await expect.poll(() => url.evaluate(isFocused), PATIENT).toBe(true);
  const fault = page.getByText('A port is at most 65535.');
  const top = (await fault.boundingBox())?.y ?? 0;
  const head = await page.getByRole('banner').boundingBox();
  expect(top).toBeGreaterThan((head?.y ?? 0) + (head?.height ?? 0));
  await page.getByText('Fill in the token.').waitFor();
  expect(await page.getByText('must not be empty').count()).toBe(0);
  expect(await page.getByText('base_url').count()).toBe(0);

  await url.fill('localhost:4801/hook');
  await page.getByRole('button', { name: 'Send test webhook' }).click();
  await page.getByText('Write http://localhost:4801/hook.').waitFor();
  expect((await api.request('GET', '/v1/targets')).body.data).toEqual([]);

  await url.fill('http://127.0.0.1:9/hook');
  await page.getByLabel('Token', { exact: true }).fill('token-0123456789');
  await save.click();
  await page.getByRole('heading', { name: 'Send your first webhook' }).waitFor();
  const { data } = (await api.request('GET', '/v1/targets')).body;
  expect(data.map((one: { name: string }) => one.name)).toEqual(['127.0.0.1:9']);
});

test('tabs have no scrollbar of their own, and that of the page never comes or goes', async () => {
  await using api = await openOwnApp();
  await using site = await serve(api);
  const id = await targetNamed(api, 'With tabs');
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  await page.goto(`${site.url}/targets/${id}`);
  const tabs = page.getByRole('tablist', { name: 'Parts of the target' });
  await tabs.waitFor();
  const overflow = 'getComputedStyle(document.querySelector("[role=tablist]")).overflow';
  await expect.poll(() => page.evaluate(overflow)).toBe('visible');
  await expect
    .poll(() => page.evaluate('getComputedStyle(document.documentElement).overflowY'))
    .toBe('scroll');
});

test('changes of a target by others stay, and neither of two headers with the same name is lost', async () => {
  await using api = await openOwnApp();
  await using site = await serve(api);
  const id = await targetNamed(api, 'Shared');
  await using tab = await openTab({ expected: [/ERR_INTERNET_DISCONNECTED/u] });
  const { page, context } = tab;
  await site.signIn(context);
  await page.goto(`${site.url}/targets/${id}?tab=settings`);
  await page.getByLabel('Name', { exact: true }).fill('Named here');
  await api.request('PATCH', `/v1/targets/${id}`, { timeout_ms: 9_000 });
  for (const [at, name] of ['x-team', 'X-Team'].entries()) {
    await page.getByRole('button', { name: 'Add a header' }).click();
    await page.getByLabel(`Header ${at + 1}`, { exact: true }).fill(name);
  }
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByText('Header 2 has the name of another header').waitFor();
  await page.getByRole('button', { name: 'Remove header 2' }).click();

  await context.setOffline(true);
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByRole('alert').getByText('Try again in a moment').waitFor();
  await context.setOffline(false);
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByRole('heading', { level: 1 }).getByText('Named here').waitFor();
  expect((await api.request('GET', `/v1/targets/${id}`)).body).toMatchObject({
    name: 'Named here',
    timeout_ms: 9_000,
    headers: { 'x-team': '' },
  });
});

test('a kept form is used only if it has the current version, and only fields of the right type are', () => {
  const draft = { ...BLANK, name: 'Kept', syncs: ['a', 'b'] };
  const text = printKept(CONSUMER_FORM, draft, BLANK);
  expect(parseKept(CONSUMER_FORM, text)).toEqual(draft);
  expect(printKept(CONSUMER_FORM, BLANK, BLANK)).toBeNull();

  for (const other of [
    null,
    '',
    '{',
    '[]',
    'null',
    '7',
    '{"version":1}',
    '{"version":1,"fields":[]}',
  ]) {
    expect(parseKept(CONSUMER_FORM, other), String(other)).toBeNull();
  }
  const older = text?.replace('"version":1', '"version":0') ?? '';
  expect(parseKept(CONSUMER_FORM, older)).toBeNull();
  const odd = {
    name: 7,
    syncs: 'all',
    collections: [1],
    stream: 'other',
    path: '/a',
    planted: 'x',
  };
  expect(parseKept(CONSUMER_FORM, JSON.stringify({ version: 1, fields: odd }))).toEqual({
    path: '/a',
  });
});

test('of a target neither credentials nor headers are kept, nor a URL or a PEM that holds a secret', () => {
  const filled: target.TargetDraft = {
    ...target.BLANK,
    name: 'Kept',
    base_url: 'https://user:planted@example.com/hook',
    credentialsType: 'bearer',
    credentials: { token: 'planted' },
    headers: [{ name: 'x-planted', value: 'planted' }],
    ca: '-----BEGIN PRIVATE KEY-----\nplanted',
  };
  const text = printKept(target.TARGET_FORM, filled, target.BLANK);
  expect(text).not.toContain('planted');
  expect(parseKept(target.TARGET_FORM, text)).toMatchObject({
    name: 'Kept',
    credentialsType: 'bearer',
  });
});

async function targetNamed(api: TestApp, name: string): Promise<string> {
  const input = { name, base_url: 'http://127.0.0.1:9' };
  return (await api.request('POST', '/v1/targets', input)).body.id;
}

const isFocused = (input: { matches(selectors: string): boolean }): boolean =>
  input.matches(':focus');

/** What the tab keeps of forms. */
async function kept(page: Page): Promise<string> {
  return String(
    await page.evaluate(
      `JSON.stringify(Object.fromEntries(Object.entries(sessionStorage).filter(([name]) => name.startsWith('millrace'))))`,
    ),
  );
}
