// a target whose secrets no key opens any more, in the form of the console
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';

import { openApp, type TestApp } from '../support/app.ts';
import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { createDatabase } from '../support/database.ts';
import { serve } from '../support/serve.ts';

const openTab = browserOfFile();

test('credentials and headers that cannot be read are kept until others are filled in, and the form says so', async () => {
  await using database = await createDatabase();
  await using before = openApp(database.url);
  const { id } = await sealed(before);
  await using after = openApp(database.url); // with another key
  await using site = await serve(after);
  await using tab = await openTab({ expected: [/422/u] });
  const { page, context } = tab;
  await site.signIn(context);
  const settings = `${site.url}/targets/${id}?tab=settings`;
  await openPage(page, settings);
  const type = page.getByLabel('Type', { exact: true });
  await expect.poll(() => type.inputValue()).toBe('unreadable');
  const options = await type.locator('option').allInnerTexts();
  expect(options[0]).toBe("Those that are stored, which can't be read");
  await page.getByText("Credentials are stored, but can't be read").waitFor();
  await page.getByText('Headers with secrets are stored as well').waitFor();
  await expect.poll(() => page.getByText('MILLRACE_ENCRYPTION_KEYS').count()).toBe(2);

  await page.getByLabel('Name', { exact: true }).fill('Renamed');
  await type.selectOption('bearer'); // a look at another type loses nothing
  await type.selectOption('unreadable');
  await save(page);
  const { body } = await before.request('GET', `/v1/targets/${id}`);
  expect(body).toMatchObject({
    name: 'Renamed',
    credentials: { type: 'bearer', token: '••••rget' },
    headers: { 'x-team': 'shop', 'x-api-key': '••••eeee' },
    health: { status: 'ok' },
  });

  // They are not sent to a host that may be another's, and the form says where the fault is.
  await page.getByLabel('Base URL').fill('https://elsewhere.example.com');
  await page.getByRole('button', { name: 'Save changes' }).click();
  await expect.poll(() => type.getAttribute('aria-invalid')).toBe('true');
  await page.getByText(/^must be .* base_url/u).waitFor();
  await page.getByRole('button', { name: 'Discard changes' }).click();

  await type.selectOption('bearer');
  await page.getByLabel('Token', { exact: true }).fill('another-token-of-the-target');
  await page.getByRole('button', { name: 'Remove header 1' }).click();
  await save(page);
  await expect.poll(() => type.locator('option[value=unreadable]').count()).toBe(0);
  expect((await after.request('GET', `/v1/targets/${id}`)).body).toMatchObject({
    credentials: { type: 'bearer', token: '••••rget' },
    headers: {},
    unreadable: ['signing_secret'],
  });
});

test('credentials that cannot be read are removed only by choosing none', async () => {
  await using database = await createDatabase();
  await using before = openApp(database.url);
  const { id } = await sealed(before);
  await using after = openApp(database.url);
  await using site = await serve(after);
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  await openPage(page, `${site.url}/targets/${id}?tab=settings`);
  await page.getByLabel('Type', { exact: true }).selectOption('none');
  await save(page);
  const { body } = await after.request('GET', `/v1/targets/${id}`);
  expect([body.credentials, body.unreadable]).toEqual([
    { type: 'none' },
    ['headers', 'signing_secret'],
  ]);
});

test('a consumer that waits for a lost key leads to the page where the fault can be fixed', async () => {
  await using database = await createDatabase();
  await using before = openApp(database.url);
  const { id: target_id } = await sealed(before);
  await using after = openApp(database.url);
  const input = { name: 'Waits', target_id, stream: 'events' };
  const { body: consumer } = await after.request('POST', '/v1/consumers', input);
  await using site = await serve(after);
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  for (const [code, link, path] of [
    [
      'credentials_unreadable',
      "Open the target's credentials",
      `/targets/${target_id}?tab=settings`,
    ],
    [
      'signing_secret_unreadable',
      "Open the target's signing secret",
      `/targets/${target_id}?tab=verify`,
    ],
    ['body_unreadable', 'Open its settings', `/consumers/${consumer.id}?tab=settings`],
    ['filter_unreadable', 'Open its filter', `/consumers/${consumer.id}?tab=filter`],
  ] as const) {
    await after.db.query({
      text: `insert into start_faults (consumer_id, code, detail, since, next_try_at, is_crash)
             values ($1, $2, 'It cannot be read', now(), now(), false)
                 on conflict (consumer_id) do update set code = excluded.code`,
      values: [consumer.id, code],
    });
    await openPage(page, `${site.url}/consumers/${consumer.id}`);
    const band = page.getByRole('region', { name: 'Why it does not send' });
    await band.getByRole('link', { name: link }).click();
    await page.waitForURL(`${site.url}${path}`);
  }
  await expect.poll(() => page.getByRole('tab', { selected: true }).innerText()).toBe('Filter');
});

async function sealed(api: TestApp): Promise<{ id: string }> {
  const { body } = await api.request('POST', '/v1/targets', {
    name: 'Sealed',
    base_url: 'https://example.com/hooks',
    credentials: { type: 'bearer', token: 'planted-token-of-a-target' },
    headers: { 'x-team': 'shop', 'x-api-key': 'planted-key-eeee' },
  });
  return body;
}

async function save(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByText('Saved. It applies from the next request on.').first().waitFor();
  await expect
    .poll(() => page.getByRole('button', { name: 'Save changes' }).isDisabled())
    .toBe(true);
}
