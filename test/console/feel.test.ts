import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Consumer } from '../../src/schema/consumer.ts';
import { browserOfFile } from '../support/browser.ts';
import { openCommandedConsumers } from '../support/commandedConsumers.ts';
import { goTo, openPage } from '../support/consolePage.ts';
import { insertPastOf } from '../support/consumerPast.ts';
import type { ConsumersApi } from '../support/consumers.ts';
import { drawnTexts, RECORD_TEXTS } from '../support/drawnTexts.ts';
import { isFocused } from '../support/fieldFaults.ts';
import { openReceiver, type TestReceiver } from '../support/receiver.ts';
import { serve, type Served } from '../support/serve.ts';

const ENTRIES = [
  'Overview',
  'Consumers',
  'Targets',
  'Sources',
  'Dead letters',
  'Alerts',
  'Streams',
  'Settings',
];

const FAILURE = JSON.stringify({
  code: 'HTTP_5XX',
  status: 503,
  detail: 'HTTP 503',
  at: '2026-11-29T12:03:00Z',
});

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;
let receiver: TestReceiver;
let sending: Consumer;
let failing: Consumer;
beforeAll(async () => {
  opened = await openCommandedConsumers();
  site = await serve(opened.api);
  receiver = await openReceiver();
  sending = await consumer('Sending');
  failing = await consumer('Failing');
  await insertPastOf(opened, sending.id);
  await insertPastOf(opened, failing.id);
  await opened.setCursor(
    failing.id,
    `head = 1, attempt = 3, next_attempt_at = now() + interval '1 hour', last_failure = '${FAILURE}'`,
  );
  await opened.api.db.query({
    text: `update consumers set status = 'blocked', failing_since = now() where id = $1`,
    values: [failing.id],
  });
});
afterAll(async () => {
  await receiver[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

/** With a target of its own at the receiver. */
async function consumer(name: string): Promise<Consumer> {
  const target = { name: `Of ${name}`, base_url: receiver.url };
  const { body } = await opened.api.request('POST', '/v1/targets', target);
  return opened.create({ name, target_id: body.id });
}

const pages = (): string[] => [
  '/',
  '/consumers',
  '/consumers/new',
  `/consumers/new?target=${sending.target_id}&step=2`,
  `/consumers/new?target=${sending.target_id}&step=6`,
  `/consumers/${failing.id}`,
  `/consumers/${sending.id}?tab=filter`,
  `/consumers/${sending.id}?tab=settings`,
  '/targets',
  '/targets/new',
  '/sources',
  '/sources/new',
  `/targets/${sending.target_id}`,
  `/targets/${sending.target_id}?tab=consumers`,
  `/targets/${sending.target_id}?tab=settings`,
  '/dead-letters',
  '/alerts',
  '/streams',
  '/settings',
  '/settings?tab=keys',
];

test('a dialog that closes returns the focus to the button that opened it', async () => {
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  const openers: [path: string, opener: (page: Page) => Locator][] = [
    ...['Pause', 'Seek'].map((name): (typeof openers)[number] => [
      `/consumers/${sending.id}`,
      (on) => on.getByRole('button', { name, exact: true }),
    ]),
    [
      `/consumers/${failing.id}`,
      (on) => on.getByRole('button', { name: 'Retry now', exact: true }),
    ],
    [`/consumers/${sending.id}`, (on) => on.getByRole('cell').getByRole('button').first()],
    ...(
      [
        ['Rotate secret', 'verify'],
        ['Delete', 'settings'],
        ['Pause all', 'deliveries'],
      ] as const
    ).map(([name, part]): (typeof openers)[number] => [
      `/targets/${sending.target_id}?tab=${part}`,
      (on) => on.getByRole('button', { name, exact: true }),
    ]),
    ['/streams', (on) => on.getByRole('button', { name: 'Send a sample…' })],
    ['/streams', (on) => on.getByRole('cell').getByRole('button').first()],
    ['/settings?tab=keys', (on) => on.getByRole('button', { name: /Create key/u }).first()],
  ];
  await openPage(page, site.url);
  for (const [path, find] of openers) {
    await goTo(page, path);
    const opener = find(page);
    const name = `${path} ${await opener.innerText()}`;
    await opener.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await expect.poll(() => opener.evaluate(isFocused), { message: name }).toBe(true);
  }
  const view = page.getByRole('button', { name: 'View' });
  await view.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: /Keyboard shortcuts/u }).click();
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
  await page.keyboard.press('Escape');
  await expect.poll(() => view.evaluate(isFocused)).toBe(true);
});

test('a button keeps the focus while it works, and if it then disappears, the page gets the focus', async () => {
  const { url, signIn } = site;
  const { id } = await consumer('Paused by key');
  await using tab = await openTab();
  const { page, context } = tab;
  await signIn(context);
  await openPage(page, `${url}/targets/${sending.target_id}`);
  const send = page.getByRole('button', { name: 'Send test webhook' });
  await send.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('status').getByText('delivered').waitFor();
  await expect.poll(() => send.evaluate(isFocused)).toBe(true);

  await openPage(page, `${url}/consumers/${id}`);
  await page.getByRole('button', { name: 'Pause' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Resume' }).waitFor();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await expect.poll(() => page.evaluate('document.activeElement !== document.body')).toBe(true);
});

test('where an edit of the filter begins and ends the focus stays in its part of the page', async () => {
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  await openPage(page, `${site.url}/consumers/${sending.id}?tab=filter`);
  const part = page.getByRole('tabpanel');
  for (const [press, shown] of [
    ['Edit filter', 'Save filter'],
    ['Cancel', 'Edit filter'],
  ] as const) {
    await part.getByRole('button', { name: press }).focus();
    await page.keyboard.press('Enter');
    await part.getByRole('button', { name: shown }).waitFor();
    await expect.poll(() => part.evaluate(hasFocusIn), { message: press }).toBe(true);
  }
});

test('a choice that is cleared by its button leaves the focus in its field', async () => {
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  await openPage(page, `${site.url}/alerts?consumer=${sending.id}`);
  await page.getByRole('button', { name: 'Clear Consumer' }).focus();
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/alerts$/u);
  const field = page.getByRole('combobox', { name: 'Consumer' });
  await expect.poll(() => field.evaluate(isFocused)).toBe(true);
});

test('a page that was gone to has the focus, so that Tab goes on in it', async () => {
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  await openPage(page, `${site.url}/consumers`);
  await page.getByRole('link', { name: 'Alerts' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Alerts' }).waitFor();
  await expect.poll(() => page.evaluate('document.activeElement.id')).toBe('main');
  await page.keyboard.press('Tab');
  await expect
    .poll(() => page.evaluate(`document.activeElement.closest('main') !== null`))
    .toBe(true);
});

test('labels of axes are complete: long ones are not cut, and days have dates', async () => {
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  await page.addInitScript({ content: RECORD_TEXTS });
  await page.route('**/metrics?*', async (route) => {
    const real = await route.fetch();
    const answered = (await real.json()) as { data: object[] };
    const data = answered.data.map((point) => ({ ...point, p99_ms: 29_000, lag: 123_456_789 }));
    await route.fulfill({ response: real, json: { ...answered, data } });
  });
  for (const range of ['1h', '6h', '24h', '7d']) {
    await openPage(page, `${site.url}/consumers/${sending.id}?range=${range}`);
    await expect.poll(() => drawnTexts(page).then((all) => all.length)).toBeGreaterThan(10);
    await expect
      .poll(async () => (await drawnTexts(page)).map(({ text }) => text), { message: range })
      .toContain('20,000 ms');
    const texts = await drawnTexts(page);
    expect(texts.filter(({ left, right, width }) => left < 0 || right > width)).toEqual([]);
    expect(texts.filter(({ px }) => px < 12)).toEqual([]);
    const times = texts.filter(({ text }) => /^\d\d:\d\d$|^\d+ \w{3}$/u.test(text));
    expect(times.length).toBeGreaterThan(2);
    expect(times.filter(({ text }) => text === '00:00')).toEqual([]);
    if (range === '7d') expect(times.some(({ text }) => /^\d+ \w{3}$/u.test(text))).toBe(true);
  }
});

test('no text is smaller than 12 px, and all of it follows the font size of the browser', async () => {
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  await openPage(page, site.url);
  const small: string[] = [];
  for (const path of pages()) {
    await goTo(page, path);
    for (const one of await page.evaluate<string[]>(SMALL_TEXTS)) small.push(`${path}: ${one}`);
  }
  expect(small).toEqual([]);

  const usual = await page.evaluate<number[]>(SIZES);
  const session = await context.newCDPSession(page);
  await session.send('Page.setFontSizes', { fontSizes: { standard: 24, fixed: 24 } });
  await expect
    .poll(() => page.evaluate<number[]>(SIZES))
    .toEqual(usual.map((size) => expect.closeTo(size * 1.5, 1)));
});

test('the focus ring is completely visible on each page', async () => {
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  await openPage(page, site.url);
  const cut: string[] = [];
  for (const [index, path] of pages().entries()) {
    await goTo(page, path);
    // What Tab comes to before the main part is the same on each page.
    const from =
      index === 0 ? 'document.activeElement?.blur()' : 'document.getElementById("main").focus()';
    await page.evaluate(from);
    for (let step = 0; step < 60; step += 1) {
      await page.keyboard.press('Tab');
      const { name, fault, isOut } = await page.evaluate<Ring>(RING);
      if (isOut) break;
      if (fault !== '') cut.push(`${path} ${name}: ${fault}`);
    }
  }
  expect(cut).toEqual([]);
}, 180_000);

test('g and a letter lead to each page, and / searches on each', async () => {
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  await openPage(page, `${site.url}/settings`);
  for (const [letter, heading] of [
    ['o', 'Overview'],
    ['c', 'Consumers'],
    ['t', 'Targets'],
    ['u', 'Sources'],
    ['d', 'Dead letters'],
    ['a', 'Alerts'],
    ['s', 'Streams'],
    ['e', 'Settings'],
  ] as const) {
    await page.keyboard.type(`g${letter}`); // the second has to follow soon
    await page.getByRole('heading', { level: 1, name: heading }).waitFor();
    await page.keyboard.press('?');
    const help = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
    await help.getByText(heading, { exact: true }).waitFor();
    await page.keyboard.press('Escape');
    await help.waitFor({ state: 'detached' });
  }
  for (const path of pages()) {
    if (/new/u.test(path)) continue; // forms: Tab goes through them
    await goTo(page, path);
    await page.evaluate('document.activeElement?.blur()');
    await page.keyboard.press('/');
    await expect
      .poll(() => page.evaluate(`document.activeElement.matches('[data-search]')`), {
        message: path,
      })
      .toBe(true);
  }
  await page.keyboard.type('g');
  await expect.poll(() => page.evaluate('document.activeElement.value')).toBe('g');
});

test('the navigation stays in place whichever entry is active, and is completely visible at 400 px', async () => {
  for (const width of [1280, 400]) {
    await using tab = await openTab({ viewport: { width, height: 800 } });
    const { page, context } = tab;
    await site.signIn(context);
    await openPage(page, `${site.url}/settings`);
    const places = (): Promise<number[]> => page.evaluate<number[]>(NAV_PLACES);
    const before = await places();
    expect(before.length).toBe(ENTRIES.length);
    expect(before.filter((right) => right > width)).toEqual([]);
    for (const name of ENTRIES) {
      await page.getByRole('navigation', { name: 'Pages' }).getByText(name).click();
      await page.getByRole('heading', { level: 1, name }).waitFor();
      expect(await places(), name).toEqual(before);
    }
  }
});

test('on a phone a consumer shows status and reason, then deliveries, then charts', async () => {
  await using tab = await openTab({ viewport: { width: 400, height: 800 } });
  const { page, context } = tab;
  await site.signIn(context);
  await openPage(page, `${site.url}/consumers/${failing.id}`);
  await page.getByRole('table', { name: 'deliveries' }).waitFor();
  const top = async (found: Locator): Promise<number> => (await found.boundingBox())?.y ?? NaN;
  const status = await top(page.getByRole('heading', { level: 1 }).getByText('blocked'));
  const reason = await top(page.getByText(/Answered HTTP 503/u).first());
  const deliveries = await top(page.getByRole('table', { name: 'deliveries' }));
  const charts = await top(page.getByRole('heading', { name: 'Over time' }));
  expect(status).toBeLessThan(reason);
  expect(reason).toBeLessThan(deliveries);
  expect(deliveries).toBeLessThan(charts);
  expect(deliveries).toBeLessThan(800);
});

const hasFocusIn = (element: { matches(selectors: string): boolean }): boolean =>
  element.matches(':focus-within');

/** What is shown in letters below 12 px. */
const SMALL_TEXTS = `(() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (text === '' || element.closest('script') || element.getClientRects().length === 0) continue;
    const size = parseFloat(getComputedStyle(element).fontSize);
    if (size < 11.99) found.push(size + ' px: ' + text.slice(0, 40));
  }
  return found;
})()`;

const SIZES = `['h1', 'nav a', 'button', 'main', 'footer'].map((one) =>
  parseFloat(getComputedStyle(document.querySelector(one)).fontSize))`;

interface Ring {
  name: string;
  /** Empty where the ring is seen whole. */
  fault: string;
  /** Whether the focus has left the page. */
  isOut: boolean;
}

/** Of the focused element: has it a ring, and is that ring inside of all that clips it? */
const RING = `(() => {
  const element = document.activeElement;
  if (element === null || element === document.body) return { name: '', fault: '', isOut: true };
  const name = element.tagName + ' ' + (element.ariaLabel ?? element.innerText ?? '').slice(0, 30);
  const style = getComputedStyle(element);
  if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2) return { name, fault: 'no ring', isOut: false };
  const reach = Math.max(0, parseFloat(style.outlineOffset) + parseFloat(style.outlineWidth));
  const box = element.getBoundingClientRect();
  for (let around = element.parentElement; around !== null && around !== document.documentElement; around = around.parentElement) {
    const look = getComputedStyle(around);
    if (look.overflowX === 'visible' && look.overflowY === 'visible') continue;
    const clip = around.getBoundingClientRect();
    const over = Math.max(clip.left - box.left + reach, box.right + reach - clip.right,
      clip.top - box.top + reach, box.bottom + reach - clip.bottom);
    if (over > 0.5) return { name, fault: 'cut by ' + over + ' px', isOut: false };
  }
  return { name, fault: '', isOut: false };
})()`;

const NAV_PLACES = `[...document.querySelectorAll('nav[aria-label=Pages] a')]
  .map((entry) => Math.round(entry.getBoundingClientRect().right * 10) / 10)`;
