// the client certificate of a target, from its files to its end
import { X509Certificate } from 'node:crypto';

import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { openOwnApp, type OwnApp } from '../support/app.ts';
import { axeFaults } from '../support/axe.ts';
import { browserOfFile } from '../support/browser.ts';
import { issue, selfSigned, type Issued } from '../support/certificate.ts';
import { openPage } from '../support/consolePage.ts';
import { isFocused, saidOf } from '../support/fieldFaults.ts';
import { openMtlsReceiver } from '../support/mtlsReceiver.ts';
import { serve, type Served } from '../support/serve.ts';

const DAY = 86_400_000;
const server = selfSigned();
const root = issue({ isAuthority: true, subject: 'clients' });
const shop = issue({ subject: 'shop', issuer: root, until: Date.now() + 300 * DAY });
const bank = issue({ subject: 'bank', issuer: root, until: Date.now() + 5 * DAY + 3_600_000 });

const openTab = browserOfFile();
let api: OwnApp;
let site: Served;
beforeAll(async () => {
  api = await openOwnApp();
  site = await serve(api);
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await api[Symbol.asyncDispose]();
});

async function openSigned(path: string, expected: RegExp[] = []) {
  const tab = await openTab({ expected });
  await site.signIn(tab.context);
  await openPage(tab.page, `${site.url}${path}`);
  return tab;
}

const panel = (page: Page) =>
  page
    .locator('section')
    .filter({ has: page.getByRole('heading', { name: 'Client certificate' }) });
const certificateOf = (page: Page) => page.getByLabel('Certificate (PEM)');
const keyOf = (page: Page) => page.getByLabel('Private key (PEM)');
const fingerprint = ({ cert }: Issued): string => new X509Certificate(cert).fingerprint256;
const file = (name: string, text: string) => ({
  name,
  mimeType: 'application/x-pem-file',
  buffer: Buffer.from(text),
});

test('a new target gets its client certificate from one file with the key, which is hidden, and tests and webhooks show it to the endpoint', async () => {
  await using receiver = await openMtlsReceiver(server, root.cert);
  await using tab = await openSigned('/targets/new');
  const { page } = tab;
  await page.getByLabel('Base URL').fill(`https://127.0.0.1:${receiver.port}/in`);
  await page.getByText('Custom certificate authority').click();
  await page.getByLabel('CA certificates (PEM)').fill(server.cert);
  await page.getByRole('button', { name: 'Add a client certificate' }).click();
  await expect.poll(() => certificateOf(page).evaluate(isFocused)).toBe(true);

  await page.getByRole('button', { name: 'Save target' }).click();
  await expect.poll(() => saidOf(keyOf(page))).toMatch(/^Fill in the private key/u);
  await expect.poll(() => saidOf(certificateOf(page))).toMatch(/^Fill in the certificate/u);

  const files = page.getByLabel('Choose files…');
  await files.setInputFiles([file('shop.p12', 'binary')]);
  await panel(page).getByText('These files hold no PEM.').waitFor();
  await files.setInputFiles([file('shop.pem', `Bag Attributes\n${shop.key}${shop.cert}`)]);
  await expect.poll(() => keyOf(page).inputValue()).toBe(shop.key);
  await expect.poll(() => certificateOf(page).inputValue()).toBe(shop.cert);
  const hiding = (): Promise<string> =>
    keyOf(page).evaluate(
      (area) =>
        (
          globalThis as never as { getComputedStyle(of: unknown): Record<string, string> }
        ).getComputedStyle(area)['webkitTextSecurity'] ?? '',
    );
  await expect.poll(() => hiding()).toBe('disc');
  await panel(page).getByRole('button', { name: 'Show' }).click();
  await expect.poll(() => hiding()).toBe('none');
  expect(await axeFaults(page)).toEqual([]);
  const kept = await page.evaluate('JSON.stringify([localStorage, sessionStorage])');
  expect(kept).not.toContain('PRIVATE KEY');

  await page.getByRole('button', { name: 'Send test webhook' }).click();
  await page.getByText('delivered').waitFor();
  expect(receiver.received.map(({ name }) => name)).toEqual(['shop']);
  await page.getByRole('button', { name: 'Save target' }).click();
  await page.getByRole('heading', { name: 'Send your first webhook' }).waitFor();
  const { body } = await api.request('GET', '/v1/targets');
  expect(body.data[0].client_certificate).toMatchObject({
    subject: 'CN=shop',
    fingerprint: fingerprint(shop),
  });
});

test('a refusal of a new target is gone once its fields have to be mended before it can be sent again', async () => {
  await using tab = await openSigned('/targets/new', [/422/u]);
  const { page } = tab;
  const save = page.getByRole('button', { name: 'Save target' });
  await page.getByLabel('Base URL').fill('https://example.com/in');
  await page.getByRole('button', { name: 'Add a client certificate' }).click();
  await certificateOf(page).fill(shop.cert);
  await keyOf(page).fill(bank.key);
  await save.click();
  const refusal = page.getByRole('alert').getByText('does not belong to the certificate');
  await expect
    .poll(() => refusal.textContent())
    .toMatch(/^The private key does not belong to the certificate\. /u);
  await certificateOf(page).fill('hello');
  await save.click();
  await expect.poll(() => saidOf(certificateOf(page))).toMatch(/^The certificate must be PEM/u);
  expect(await page.getByRole('alert').count()).toBe(0);
});

test('a stored certificate is shown without its key, replaced, warned of before it ends, and removed; what is wrong is said at its field', async () => {
  const made = await api.request('POST', '/v1/targets', {
    name: 'Mutual',
    base_url: 'https://example.com/in',
    client_certificate: { certificate: shop.cert, key: shop.key },
  });
  const path = `/v1/targets/${made.body.id}`;
  const stored = async () => (await api.request('GET', path)).body.client_certificate;
  await using tab = await openSigned(`/targets/${made.body.id}?tab=settings`, [/422/u]);
  const { page } = tab;
  const save = page.getByRole('button', { name: 'Save changes' });
  for (const text of ['CN=shop', 'CN=clients', fingerprint(shop)]) {
    await panel(page).getByRole('definition').getByText(text, { exact: true }).waitFor();
  }
  expect(await panel(page).getByText('It ends').count()).toBe(0);
  expect(await page.content()).not.toContain('PRIVATE KEY');

  await panel(page).getByRole('button', { name: 'Replace…' }).click();
  await certificateOf(page).fill(bank.cert);
  await keyOf(page).fill(shop.key);
  await save.click();
  await expect
    .poll(() => saidOf(keyOf(page)))
    .toBe('The private key does not belong to the certificate.');
  expect((await stored()).fingerprint).toBe(fingerprint(shop));
  await panel(page).getByRole('button', { name: 'Keep the stored certificate' }).click();
  await panel(page).getByText('CN=shop').waitFor();
  await expect.poll(() => save.isDisabled()).toBe(true);

  await panel(page).getByRole('button', { name: 'Replace…' }).click();
  await certificateOf(page).fill(bank.cert);
  await keyOf(page).fill(bank.key);
  await save.click();
  await panel(page).getByText('CN=bank').waitFor();
  expect((await stored()).fingerprint).toBe(fingerprint(bank));
  await panel(page)
    .getByText(/^It ends in 5 d: replace it before then/u)
    .waitFor();
  expect(await page.content()).not.toContain('PRIVATE KEY-');

  await page.getByRole('tab', { name: 'Deliveries' }).click();
  await page
    .getByRole('link', { name: /^Its client certificate ends at .*: save a new one/u })
    .click();
  await panel(page).getByText('CN=bank').waitFor();

  await panel(page).getByRole('button', { name: 'Remove' }).click();
  await panel(page).getByText('are removed when you save').waitFor();
  await save.click();
  await panel(page).getByText('None. Endpoints that ask').waitFor();
  expect(await stored()).toBeNull();
  expect(await axeFaults(page)).toEqual([]);
});
