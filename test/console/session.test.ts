import { createServer } from 'node:http';

import { expect, test } from 'vitest';

import { browserOfFile } from '../support/browser.ts';
import { siteOfFile } from '../support/consoleSite.ts';
import { listening, type Listening } from '../support/listening.ts';
import { openReceiver } from '../support/receiver.ts';

const openTab = browserOfFile();
const site = siteOfFile();

test('a wrong key is refused with an explanation; the right one signs in and leads to the page that was asked for', async () => {
  const { url, apiKey } = site();
  await using tab = await openTab({ expected: [/401/u] });
  const { page } = tab;
  await page.goto(`${url}/targets`);
  await page.waitForURL(/\/signin\?next=%2Ftargets$/u);
  await page.getByLabel('API key').fill('wrong-key-0123456789');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').getByText('Unknown API key').waitFor();
  expect(await page.getByRole('alert').innerText()).not.toContain('Authorization');
  expect(await tab.context.cookies()).toEqual([]);

  await page.getByLabel('API key').fill(apiKey);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(`${url}/targets`);
  await page.getByRole('link', { name: 'Consumers' }).waitFor();
});

test('the session is a cookie that is kept from scripts and other sites, and no key is kept in the page', async () => {
  const { url, apiKey } = site();
  await using tab = await openTab({ expected: [/401/u] });
  const { page, context } = tab;
  await page.goto(url);
  await page.getByLabel('API key').fill(apiKey);
  await page.getByLabel('API key').press('Enter');
  await page.getByRole('link', { name: 'Consumers' }).waitFor();

  const cookies = await context.cookies();
  expect(cookies).toHaveLength(1);
  expect(cookies[0]).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/' });
  expect(cookies[0]?.value).not.toContain(apiKey);
  expect(cookies[0]?.expires).toBeGreaterThan(Date.now() / 1_000);
  expect(await page.evaluate('document.cookie')).toBe('');
  const kept = await page.evaluate('JSON.stringify([localStorage, sessionStorage])');
  expect(kept).not.toContain(apiKey);
  expect(await page.content()).not.toContain(apiKey);
});

test('a sign-in link signs in once, and its token is removed from the address immediately', async () => {
  const { url, cluster } = site();
  const link = await cluster.request<{ url: string }>('POST', '/v1/session/links');
  await using first = await openTab({ expected: [/401/u] });
  await first.page.goto(link.url);
  await first.page.getByRole('link', { name: 'Consumers' }).waitFor();
  expect(first.page.url()).toBe(`${url}/`);
  expect(await first.page.evaluate('history.length')).toBeLessThanOrEqual(2);

  await using second = await openTab({ expected: [/401/u] });
  await second.page.goto(link.url);
  await second.page.getByRole('alert').getByText('already used, or has expired').waitFor();
  expect(second.page.url()).not.toContain('token');
  expect(await second.context.cookies()).toEqual([]);
});

test('signing out ends the session itself, not only its cookie', async () => {
  const { url, signIn } = site();
  await using tab = await openTab({ expected: [/401/u] });
  const { page, context } = tab;
  await signIn(context);
  const [cookie] = await context.cookies();
  if (cookie === undefined) throw new Error('signing in set no cookie');
  await page.goto(url);
  await page.getByRole('button', { name: 'View' }).click();
  await page.getByRole('menuitem', { name: /Sign out/u }).click();
  await page.waitForURL(/\/signin/u);
  expect(await context.cookies()).toEqual([]);

  await context.addCookies([cookie]);
  await page.goto(`${url}/consumers`);
  await page.waitForURL(/\/signin\?next=%2Fconsumers$/u);
});

test('a page of another origin changes nothing with the session of a person who opens it', async () => {
  const { url, signIn, cluster } = site();
  await using receiver = await openReceiver();
  await using evil = await openForeignSite();
  const { id } = await cluster.consumer(receiver.url);
  // What the browser says of requests that were refused to the foreign page.
  await using tab = await openTab({ expected: [/CORS|ERR_FAILED|403|401|favicon/u] });
  const { page, context } = tab;
  await signIn(context);
  const pause = `${url}/v1/consumers/${id}/pause`;

  // Another port is the same site: the browser sends the cookie along. Another name is another site.
  for (const [origin, status] of [
    [evil.url, 403],
    [evil.url.replace('127.0.0.1', 'localhost'), 401],
  ] as const) {
    await page.goto(`${origin}/?to=${encodeURIComponent(pause)}`);
    const [answer] = await Promise.all([
      page.waitForResponse(pause),
      page.getByRole('button', { name: 'Win' }).click(),
    ]);
    expect(answer.status()).toBe(status);
    await page.waitForURL(pause); // else it may come between

    await page.goto(origin);
    for (const init of [
      { method: 'POST', credentials: 'include' },
      { method: 'POST', credentials: 'include', mode: 'no-cors', body: '{}' },
      { method: 'DELETE', credentials: 'include' },
    ]) {
      const seen = await page.evaluate(
        `fetch(${JSON.stringify(pause)}, ${JSON.stringify(init)}).then((r) => r.type + r.status, () => 'refused')`,
      );
      expect(['refused', 'opaque0']).toContain(seen);
    }
    const read = await page.evaluate(
      `fetch(${JSON.stringify(`${url}/v1/consumers`)}, { credentials: 'include' }).then((r) => r.text(), () => 'refused')`,
    );
    expect(read).toBe('refused');
  }
  expect((await cluster.get(id)).status).toBe('active');

  // Our own page may.
  await page.goto(url);
  await expect
    .poll(() =>
      page.evaluate(`fetch(${JSON.stringify(pause)}, { method: 'POST' }).then((r) => r.status)`),
    )
    .toBe(200);
  expect((await cluster.get(id)).status).toBe('paused');
});

/** A page with a form that posts to whatever its address says. */
function openForeignSite(): Promise<Listening> {
  const server = createServer((request, response) => {
    const to = new URL(request.url ?? '/', 'http://site').searchParams.get('to') ?? '';
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end(
      `<!doctype html><link rel="icon" href="data:,"><form method="post" action="${to}"><button>Win</button></form>`,
    );
  });
  return listening(server);
}
