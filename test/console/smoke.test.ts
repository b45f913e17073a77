import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';

import type { Target } from '../../src/schema/target.ts';
import { browserOfFile } from '../support/browser.ts';
import { goTo, openPage } from '../support/consolePage.ts';
import { siteOfFile } from '../support/consoleSite.ts';
import { until } from '../support/poll.ts';
import { answer, accept, openReceiver } from '../support/receiver.ts';

const openTab = browserOfFile();
const site = siteOfFile();

const HOSTILE = `<script>alert(1)</script> \u202eevil\u202c 😀 ${'long '.repeat(40)}`;

test('every page opens at 1280 and at 400 px, light and dark, without an error or a violation of the content security policy, and none is wider than the screen', async () => {
  const { url, signIn, cluster } = site();
  await using receiver = await openReceiver((received, response) =>
    (received.path.endsWith('/down') ? answer(503) : accept)(received, response),
  );
  const sending = await cluster.consumer(receiver.url, { name: HOSTILE });
  const failing = await cluster.consumer(receiver.url, { name: 'Failing', path: '/down' });
  const target = await cluster.request<Target>('GET', `/v1/targets/${sending.target_id}`);
  for (const status of ['pending', 'paid']) {
    const record = { sync_id: HOSTILE, collection_id: 'a:b', upstream_id: '1', data: { status } };
    await cluster.request('POST', '/v1/records', { records: [record] });
  }
  await until(async () => (await cluster.get(failing.id)).status === 'blocked');
  await until(() => receiver.received.filter(({ path }) => !path.endsWith('/down')).length === 2);

  const pages: [address: string, shows: RegExp][] = [
    ['/', /gives up/u],
    ['/consumers', /Failing/u],
    ['/consumers?status=paused', /No consumers match/u],
    ['/consumers/new', /1\. Select target/u],
    [`/consumers/new?target=${target.id}&step=2`, /would have been sent/u],
    [`/consumers/new?target=${target.id}&step=6`, /Sends to/u],
    [`/consumers/${sending.id}`, /Caught up/u],
    [`/consumers/${failing.id}?outcome=failed`, /Answered HTTP 503/u],
    [`/consumers/${sending.id}?tab=filter`, /Edit filter/u],
    [`/consumers/${sending.id}?tab=settings`, /Alert addresses/u],
    [`/consumers/${sending.id}?tab=changes`, /^Created, starting/u],
    ['/targets', /^Health$/u],
    ['/targets/new', /Try it before you save it/u],
    [`/targets/${target.id}`, /^Its only consumer is sending/u],
    [`/targets/${target.id}?tab=consumers`, /^Lag$/u],
    [`/targets/${target.id}?tab=verify`, /npm install standardwebhooks/u],
    [`/targets/${target.id}?tab=settings`, /Max requests in flight/u],
  ];
  for (const [width, colorScheme] of [
    [1280, 'light'],
    [400, 'dark'],
  ] as const) {
    await using tab = await openTab({ viewport: { width, height: 800 }, colorScheme });
    await signIn(tab.context);
    const fits = async (address: string): Promise<void> =>
      expect(await widerThanScreen(tab.page), `${address} at ${width} px`).toBeLessThanOrEqual(0);
    await openPage(tab.page, `${url}/nothing`);
    await tab.page.getByText('There is no such page').waitFor();
    await fits('/nothing');
    for (const [address, shows] of pages) {
      if (width === 1280) await tab.page.goto(url + address);
      else await goTo(tab.page, address); // what is loaded is the same at each width
      await tab.page.getByText(shows).first().waitFor();
      await fits(address);
    }
    await expect
      .poll(() => tab.page.evaluate('document.documentElement.dataset.theme'))
      .toBe(colorScheme);
  }
}, 240_000);

test('an update shows the old and new values of its fields, the request as it was sent, and a script that sends it again', async () => {
  const { url, signIn, cluster } = site();
  await using receiver = await openReceiver();
  const { id } = await cluster.consumer(receiver.url, { name: 'Watched', syncs: ['numbers'] });
  await using tab = await openTab();
  const { page, context } = tab;
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await signIn(context);
  await page.goto(`${url}/consumers/${id}`);
  await page.getByText('Nothing has been sent yet').waitFor();
  for (const text of ['{"n":9007199254740993}', '{"n":9007199254740995,"s":"it\'s"}']) {
    const body = `{"records":[{"sync_id":"numbers","collection_id":"a:b","upstream_id":"1","data":${text}}]}`;
    const headers = { 'content-type': 'application/json' };
    const appended = await context.request.post(`${url}/v1/records`, {
      headers: { ...headers, authorization: `Bearer ${site().apiKey}` },
      data: Buffer.from(body),
    });
    expect(appended.status()).toBe(200);
  }
  await until(() => receiver.received.length === 2);
  const sent = receiver.received.at(-1);
  await page
    .getByRole('button', { name: /^1\s*updated/u })
    .first()
    .click();
  const drawer = page.getByRole('dialog');
  await drawer.getByRole('row', { name: 'n 9007199254740993 9007199254740995' }).waitFor();
  await drawer
    .getByLabel(/^Request/u)
    .getByText('"n":9007199254740995')
    .waitFor();
  const copied = drawer.getByText('Copied').waitFor(); // it says so for two seconds only
  await Promise.all([copied, drawer.getByRole('button', { name: 'Copy as cURL' }).click()]);
  const script = String(await page.evaluate('navigator.clipboard.readText()'));
  expect(script).toContain(`id='${sent?.id}'`);
  expect(script).toContain(`body='${sent?.body.replaceAll("'", `'\\''`)}'`);
});

test('a target can be tested before it is saved, keeps its secrets when it is edited, and shows a rotated secret in full once', async () => {
  const { url, signIn, cluster } = site();
  await using receiver = await openReceiver();
  await using tab = await openTab({ expected: [/422/u] });
  const { page, context } = tab;
  await signIn(context);
  await page.goto(`${url}/targets/new`);
  await page.getByLabel('Name', { exact: true }).fill('Tried first');
  await page.getByLabel('Base URL').fill(receiver.url);
  await page.getByLabel('Type').selectOption('bearer');
  await page.getByLabel('Token').fill('token-0123456789');
  await page.getByRole('button', { name: 'Add a header' }).click();
  await page.getByLabel('Header 1').first().fill('x-team');
  await page.getByLabel('Value').fill('blue');
  await page.getByRole('button', { name: 'Send test webhook' }).click();
  await page.getByLabel('Request').getByText('x-team: blue').waitFor();
  expect(receiver.received.at(-1)?.headers['authorization']).toBe('Bearer token-0123456789');
  const { data } = await cluster.request<{ data: Target[] }>('GET', '/v1/targets');
  expect(data.some(({ name }) => name === 'Tried first')).toBe(false);

  await page.getByRole('button', { name: 'Save target' }).click();
  await page.locator('[data-secret]').waitFor();
  await page.getByRole('link', { name: 'Open the target' }).click();
  await page.getByRole('tab', { name: 'Settings' }).click();
  await page.getByLabel('Timeout (ms)').fill('20000');
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByText(/^The timeout in milliseconds must be a whole number/u).waitFor();
  await page.getByLabel('Timeout (ms)').fill('9000');
  await page.getByRole('button', { name: 'Save changes' }).click();
  await page.getByText('Saved. It applies from the next request on.').waitFor();
  await page.getByRole('button', { name: 'Send test webhook' }).click();
  await page.getByRole('status').getByText('delivered').waitFor();
  expect(receiver.received.at(-1)?.headers['authorization']).toBe('Bearer token-0123456789');

  await page.getByRole('tab', { name: 'Verify' }).click();
  await page.getByRole('button', { name: 'Rotate secret' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Rotate' }).click();
  const secret = await page.locator('[data-secret]').innerText();
  expect(secret).toMatch(/^whsec_/u);
  await page.getByRole('button', { name: 'Done' }).click();
  await page.reload();
  await page.getByRole('tab', { name: /^Consumers/u }).waitFor();
  expect(await page.content()).not.toContain(secret);
});

/** Pixels that would have to be scrolled sideways. */
async function widerThanScreen(page: Page): Promise<number> {
  return page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
}
