import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';

import type { Consumer } from '../../src/schema/consumer.ts';
import type { Target } from '../../src/schema/target.ts';
import { browserOfFile } from '../support/browser.ts';
import { goTo, openPage } from '../support/consolePage.ts';
import { SHORT_WINDOW } from '../support/consoleScene.ts';
import { siteOfFile } from '../support/consoleSite.ts';
import { shareOf } from '../support/long.ts';
import { until } from '../support/poll.ts';
import { openReceiver } from '../support/receiver.ts';

/** Each is an element, a script or a request as soon as someone takes it for HTML. */
const MARKUP = `<b class="planted">b</b><script>window.planted = 1</script><img src="/planted" onerror="window.planted = 2">`;
const RTL = '\u202eevil.exe\u202c مرحبا بالعالم';
const EMOJI = '👩‍👩‍👧‍👦🏳️‍🌈';
const NAME = `${MARKUP} ${EMOJI} ${RTL}`;
const LONG = 'ab'.repeat(5_000);
const WIDTHS = [1280, 400];

const openTab = browserOfFile();
const site = siteOfFile(SHORT_WINDOW);

test('hostile names, ids, data and answers are shown as text, and do not break a page', async () => {
  await using receiver = await openReceiver((received, response) => {
    response.writeHead(received.body.includes('refuse me') ? 422 : 200, {
      'content-type': 'text/html',
    });
    response.end(`${MARKUP}${LONG}`);
  });
  const { target, consumer } = await plant(receiver.url);
  await using tab = await openTab();
  const { page, context } = tab;
  await site().signIn(context);
  const pages = [
    '/',
    '/targets',
    `/targets/${target.id}`,
    `/targets/${target.id}?tab=consumers`,
    `/targets/${target.id}?tab=settings`,
    '/consumers',
    `/consumers?q=${encodeURIComponent(MARKUP)}`,
    `/consumers/new?target=${target.id}&step=2`,
    `/consumers/${consumer.id}`,
    `/consumers/${consumer.id}?tab=filter`,
    `/dead-letters?consumer=${consumer.id}`,
    '/alerts',
    '/streams',
    '/settings',
  ];
  await openPage(page, site().url);
  const wide: string[] = [];
  for (const [turn, width] of WIDTHS.entries()) {
    await page.setViewportSize({ width, height: 800 });
    // In the short form every second page has the one width, and the others the other.
    for (const path of shareOf(pages, turn, WIDTHS.length)) {
      await goTo(page, path);
      await expectInert(page);
      const found = Number(await page.evaluate('document.documentElement.scrollWidth'));
      if (found > width) wide.push(`${path} at ${width}: ${found}`);
    }
  }
  expect(wide).toEqual([]);

  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto(`${site().url}/consumers/${consumer.id}`);
  const title = await page.getByRole('heading', { level: 1 }).innerText();
  expect(title).toContain(MARKUP);
  await opened(page, page.getByRole('button', { name: /hostile 2/u }).first());
  await page.goto(`${site().url}/dead-letters?consumer=${consumer.id}`);
  await opened(page, page.getByRole('row').getByRole('button').first());
  await page.goto(`${site().url}/streams`);
  await opened(
    page,
    page.getByRole('row').filter({ hasText: 'hostile' }).getByRole('button').first(),
  );
}, 240_000);

test('a script that the browser refuses to run is noticed as a complaint', async () => {
  await using tab = await openTab({ expected: [/policy|Content Security Policy/u, /401/u] });
  const { page, complaints } = tab;
  await page.goto(`${site().url}/signin`);
  await page.evaluate(`document.body.append(Object.assign(document.createElement('script'),
    { textContent: 'window.planted = 3' }))`);
  await expect.poll(() => complaints.some((one) => one.includes('policy: script-src'))).toBe(true);
  await expectInert(page);
});

/** A consumer whose every text is hostile; one of its entries has died. */
async function plant(url: string): Promise<{ target: Target; consumer: Consumer }> {
  const { cluster } = site();
  const entry = (n: number, name: string) => ({
    sync_id: NAME,
    collection_id: `evil:${NAME}`,
    upstream_id: `hostile ${n} ${MARKUP}`,
    event: 'updated',
    event_id: `hostile-${n}`,
    data: { name, [MARKUP]: MARKUP, long: LONG, rtl: RTL, emoji: EMOJI },
    changes: { name: MARKUP, long: `${LONG}x` },
  });
  await cluster.request('POST', '/v1/events', {
    events: [entry(1, 'refuse me'), entry(2, MARKUP)],
  });
  await cluster.request('PUT', `/v1/syncs/${encodeURIComponent(NAME)}`, { name: NAME });
  const target = await cluster.request<Target>('POST', '/v1/targets', {
    name: NAME,
    base_url: `${url}?x=${encodeURIComponent(MARKUP)}`,
    max_in_flight: 1, // the second entry proves, after the first has failed, that the endpoint works
    headers: { 'x-planted': '<b class="planted">header</b>' },
  });
  const consumer = await cluster.request<Consumer>('POST', '/v1/consumers', {
    name: NAME,
    target_id: target.id,
    stream: 'events',
    start: 'beginning',
    syncs: [NAME, 'x'.repeat(255)],
  });
  const path = `/v1/consumers/${consumer.id}`;
  await until(
    async () => {
      // A machine that is slow for the whole window has proved nothing by then.
      if ((await cluster.get(consumer.id)).status === 'stopped')
        await cluster.request('POST', `${path}/resume`);
      return (
        (await cluster.request<{ data: unknown[] }>('GET', `${path}/dead-letters`)).data.length > 0
      );
    },
    { timeoutMs: 60_000, what: 'the refused entry dies' },
  );
  return { target, consumer };
}

/** The drawer shows the data as it is, and nothing in it has come to life. */
async function opened(page: Page, button: ReturnType<Page['locator']>): Promise<void> {
  await button.click();
  const drawer = page.getByRole('dialog');
  await drawer.getByText(LONG.slice(0, 200)).first().waitFor();
  await drawer.getByText('window.planted = 1').first().waitFor();
  await expectInert(page);
  expect(Number(await page.evaluate('document.documentElement.scrollWidth'))).toBeLessThanOrEqual(
    1280,
  );
}

async function expectInert(page: Page): Promise<void> {
  expect(await page.evaluate('typeof window.planted')).toBe('undefined');
  expect(await page.locator('.planted, img[src="/planted"]').count()).toBe(0);
}
