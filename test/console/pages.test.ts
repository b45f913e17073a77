import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

import { expect, test } from 'vitest';

import { KEY, openOwnApp } from '../support/app.ts';
import { browserOfFile } from '../support/browser.ts';
import { serve } from '../support/serve.ts';

const openTab = browserOfFile();
const ASSETS = new URL('../../dist/console/assets/', import.meta.url);

test('what a page loads of JavaScript is at most 230 KB gzip', () => {
  const page = readFileSync(new URL('../index.html', ASSETS), 'utf8');
  const [, entry = ''] = /src="\/assets\/([^"]+\.js)"/u.exec(page) ?? [];
  const pages = [...textOf(entry).matchAll(/import\(`\.\/([^`]+)`\)/gu)].map(
    ([, file = '']) => file,
  );
  expect(pages.length).toBeGreaterThan(3);
  for (const late of ['', ...pages]) {
    const files = loadedWith([entry, late].filter((file) => file !== ''));
    const sizes = [...files].map((file) => gzipSync(textOf(file), { level: 9 }).length);
    const sum = sizes.reduce((before, size) => before + size, 0);
    expect(sum, late).toBeGreaterThan(0);
    expect(sum, late).toBeLessThanOrEqual(230 * 1024);
  }
});

function textOf(file: string): string {
  return readFileSync(new URL(file, ASSETS), 'utf8');
}

/** The files, and all that they load before they run. */
function loadedWith(files: readonly string[]): Set<string> {
  const found = new Set<string>();
  const open = [...files];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (found.has(file)) continue;
    found.add(file);
    const imports = textOf(file).matchAll(/(?:from|import)\s*[`"]\.\/([^`"]+\.js)[`"]/gu);
    for (const [, imported = ''] of imports) open.push(imported);
  }
  return found;
}

test('the page may load nothing from elsewhere, hashed files may be cached for ever, and paths of the API do not lead to the page', async () => {
  await using api = await openOwnApp();
  const page = await api.app.request('/consumers/new?step=2');
  expect(page.status).toBe(200);
  expect(page.headers.get('content-security-policy')).toBe(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  );
  expect(page.headers.get('cache-control')).toBe('no-cache');
  const script = /src="(\/assets\/[^"]+\.js)"/u.exec(await page.text())?.[1] ?? '';
  const file = await api.app.request(script);
  expect(file.status).toBe(200);
  expect(file.headers.get('content-type')).toContain('text/javascript');
  expect(file.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');

  const html = { accept: 'text/html' };
  expect((await api.app.request('/nothing', { headers: html })).status).toBe(200);
  expect((await api.app.request('/nothing')).status).toBe(404);
  expect((await api.app.request('/v1/nothing', { headers: html })).status).toBe(401);
  expect((await api.app.request('/assets/nothing.js', { headers: html })).status).toBe(404);
  expect((await api.app.request('/consumers', { method: 'POST' })).status).toBe(404);
});

test('signing in leads to the page that was asked for; a sign-in link works once and is removed from the address; signing out ends the session', async () => {
  await using api = await openOwnApp();
  await using site = await serve(api);
  await using tab = await openTab({ expected: [/401/u] });
  const { page } = tab;
  await page.goto(`${site.url}/targets`);
  await page.waitForURL(/\/signin\?next=%2Ftargets$/u);
  await page.getByLabel('API key').fill('wrong-key-0123456789');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').waitFor();
  await page.getByLabel('API key').fill(KEY);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(`${site.url}/targets`);
  const kept = await page.evaluate('JSON.stringify([localStorage, sessionStorage])');
  expect(kept).toBe('[{},{}]');

  await page.getByRole('button', { name: 'View' }).click();
  await page.getByRole('menuitem', { name: 'Sign out (the admin key)' }).click();
  await page.waitForURL(/\/signin/u);
  const link = await api.request('POST', '/v1/session/links');
  const { hash } = new URL(link.body.url);
  await page.goto('about:blank');
  await page.goto(`${site.url}/signin${hash}`);
  await page.waitForURL(`${site.url}/`);
  await page.getByRole('link', { name: 'Consumers' }).waitFor();
  expect(page.url()).not.toContain('token');
});

test('an alert about lost events, or events that will be lost, is shown in the words of its mail', async () => {
  await using api = await openOwnApp();
  await using site = await serve(api);
  const target = await api.request('POST', '/v1/targets', {
    name: 't',
    base_url: 'https://a.test',
  });
  const made = await api.request('POST', '/v1/consumers', {
    name: 'orders',
    target_id: target.body.id,
    stream: 'events',
  });
  const add = (detail: object) =>
    api.db.query({
      text: `insert into alerts (id, consumer_id, kind, detail, at) values ($1, $2, 'retention', $3, now())`,
      values: [randomUUID(), made.body.id, JSON.stringify(detail)],
    });
  const said = { name: 'orders', target: 'orders', endpoint: 'https://a.test/', position: 4 };
  const item = { ...said, consumer_id: made.body.id, failing_since: null, last_failure: null };
  await add({ ...item, waiting: 9, reason: 'the oldest is old' });
  await add({ ...item, waiting: 9, reason: 'they were dropped', count: 3, first: 5, last: 7 });
  await add({ count: 8, first: 1, last: 8 }); // of a version that sent no mail of it
  await using tab = await openTab();
  const { page } = tab;
  const link = await api.request('POST', '/v1/session/links');
  await page.goto(`${site.url}/signin${new URL(link.body.url).hash}`);
  await page.waitForURL(`${site.url}/`);
  await page.goto(`${site.url}/alerts`);
  await page.getByText('8 entries, positions 1 to 8, were dropped').waitFor();
  const drawer = page.getByRole('dialog');
  const shows = async (row: string, text: string[]): Promise<void> => {
    await page.getByText(row).click();
    await drawer.waitFor();
    for (const one of text) await expect.poll(() => drawer.textContent()).toContain(one);
    await page.keyboard.press('Escape');
    await drawer.waitFor({ state: 'detached' });
  };
  await shows('the oldest is old', ['is about to lose events', 'Nothing is lost yet.']);
  await shows('they were dropped', ['has lost events', 'They are no longer in the stream']);
});
