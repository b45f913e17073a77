import { afterAll, beforeAll, expect, test } from 'vitest';

import { axeFaults } from '../support/axe.ts';
import { browserOfFile } from '../support/browser.ts';
import { openCommandedConsumers } from '../support/commandedConsumers.ts';
import { openPage } from '../support/consolePage.ts';
import type { ConsumersApi } from '../support/consumers.ts';
import { isFocused, saidOf } from '../support/fieldFaults.ts';
import { serve, type Served } from '../support/serve.ts';

const PATIENT = { timeout: 15_000 };

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

async function openSigned(path: string) {
  const tab = await openTab();
  await site.signIn(tab.context);
  await openPage(tab.page, `${site.url}${path}`);
  return tab;
}

// Had the browser checked the fields, it would have shown a bubble and sent nothing to the form.
test('the settings of a target say beside their fields what is wrong and what is allowed, and are saved once it is mended', async () => {
  const target = await targetNamed('Settings');
  await using tab = await openSigned(`/targets/${target}?tab=settings`);
  const { page } = tab;
  const name = page.getByLabel('Name', { exact: true });
  const timeout = page.getByLabel('Timeout (ms)');
  await name.fill('');
  await timeout.fill('20000');
  await page.getByLabel('Type').selectOption('basic');
  for (const [at, header] of ['x-team', 'X-Team'].entries()) {
    await page.getByRole('button', { name: 'Add a header' }).click();
    await page.getByLabel(`Header ${at + 1}`, { exact: true }).fill(header);
  }
  const save = page.getByRole('button', { name: 'Save changes' });
  await save.click();
  await expect.poll(() => saidOf(name), PATIENT).toBe('Fill in a name for the target.');
  await expect.poll(() => name.evaluate(isFocused), PATIENT).toBe(true);
  await expect
    .poll(() => saidOf(timeout))
    .toBe('The timeout in milliseconds must be a whole number from 500 to 15,000.');
  await expect.poll(() => saidOf(page.getByLabel('User name'))).toBe('Fill in the user name.');
  await expect
    .poll(() => saidOf(page.getByLabel('Header 2', { exact: true })))
    .toBe('Header 2 has the name of another header: give it a name of its own.');
  expect(await saidOf(page.getByLabel('Base URL'))).toBeNull();
  expect(await axeFaults(page)).toEqual([]);

  await name.fill('Mended');
  await expect.poll(() => saidOf(name), PATIENT).toBeNull(); // the others stay until they are mended
  expect(await saidOf(timeout)).not.toBeNull();
  await timeout.fill('5000');
  await page.getByLabel('Type').selectOption('none');
  await page.getByRole('button', { name: 'Remove header 2' }).click();
  await save.click();
  await page.getByRole('heading', { level: 1 }).getByText('Mended').waitFor();
  expect((await opened.api.request('GET', `/v1/targets/${target}`)).body).toMatchObject({
    name: 'Mended',
    timeout_ms: 5_000,
    headers: { 'x-team': '' },
  });
});

test('the settings of a consumer say beside their fields what is wrong, and are saved once it is mended', async () => {
  const consumer = await opened.create({ name: 'Settings' });
  await using tab = await openSigned(`/consumers/${consumer.id}?tab=settings`);
  const { page } = tab;
  const path = page.getByLabel('Path');
  const emails = page.getByLabel('Alert addresses');
  await path.fill('v2');
  await emails.fill('night@example.com\nday');
  const save = page.getByRole('button', { name: 'Save changes' });
  await save.click();
  await expect.poll(() => saidOf(path), PATIENT).toBe('The path must begin with /: write /v2.');
  await expect.poll(() => path.evaluate(isFocused), PATIENT).toBe(true);
  await expect
    .poll(() => saidOf(emails))
    .toBe('“day” is not an email address. One looks like this: ops@example.com.');
  await path.fill('/v2');
  await emails.fill('night@example.com');
  await save.click();
  await page.getByRole('status').getByText('Saved', { exact: true }).waitFor();
  const { body } = await opened.api.request('GET', `/v1/consumers/${consumer.id}`);
  expect(body).toMatchObject({ path: '/v2', alert_emails: ['night@example.com'] });
});

test('the form of a new consumer says beside its fields what is wrong, and leads back to the step where it is', async () => {
  const target = await targetNamed('Of a new consumer');
  await using tab = await openSigned(`/consumers/new?target=${target}&step=5`);
  const { page } = tab;
  await page.getByRole('radio', { name: /A point in time/u }).check();
  const time = page.getByLabel(/^Time, /u);
  await time.fill('');
  await page.getByRole('button', { name: 'Next: save' }).click();
  const missing = 'Fill in the date and the time at which sending starts.';
  await expect.poll(() => saidOf(time), PATIENT).toBe(missing);

  await page.getByRole('button', { name: '6. Save' }).click();
  const save = page.getByRole('button', { name: 'Save', exact: true });
  await save.click();
  await page.getByRole('heading', { name: '5. Select start position' }).waitFor();
  await expect.poll(() => saidOf(time), PATIENT).toBe(missing);
  await expect.poll(() => time.evaluate(isFocused), PATIENT).toBe(true);
  await page.getByRole('radio', { name: /^End/u }).check();
  await page.getByRole('button', { name: 'Next: save' }).click();

  const name = page.getByLabel('Name', { exact: true });
  const path = page.getByLabel('Path (optional)');
  await name.fill('');
  await path.fill('v2');
  await save.click();
  await expect.poll(() => saidOf(name), PATIENT).toBe('Fill in a name for the consumer.');
  await expect.poll(() => name.evaluate(isFocused), PATIENT).toBe(true);
  await expect.poll(() => saidOf(path)).toBe('The path must begin with /: write /v2.');
  await name.fill('To v2');
  await path.fill('/v2');
  await save.click();
  await page.waitForURL(/\/consumers\/[0-9a-f-]{36}$/u);
});

async function targetNamed(name: string): Promise<string> {
  const input = { name, base_url: 'http://127.0.0.1:9' };
  return (await opened.api.request('POST', '/v1/targets', input)).body.id;
}
