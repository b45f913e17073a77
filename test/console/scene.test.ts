import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { axeFaults } from '../support/axe.ts';
import { browserOfFile } from '../support/browser.ts';
import { goTo, openPage } from '../support/consolePage.ts';
import { openScene, REFUSED, SHORT_WINDOW, type Scene } from '../support/consoleScene.ts';
import { siteOfFile } from '../support/consoleSite.ts';
import { shareOf } from '../support/long.ts';
import { until } from '../support/poll.ts';
import { accept } from '../support/receiver.ts';

const MAY_READ = 'This key can only read: it lacks the scope manage.';
const MAY_NOT_APPEND = 'This key can only read: it lacks the scope ingest.';

const openTab = browserOfFile();
const site = siteOfFile(SHORT_WINDOW);
let scene: Scene;
/** What drawers show. */
const opened = { attempt: '', letter: '' };
beforeAll(async () => {
  const { cluster } = site();
  scene = await openScene(cluster);
  opened.attempt = await firstOf(`/v1/consumers/${scene.stopped.id}/attempts`);
  opened.letter = await firstOf(`/v1/consumers/${scene.refused.id}/dead-letters`);
});
afterAll(() => scene[Symbol.asyncDispose]());

/** Every page, in the states that show most of it. */
const pages = (): [name: string, path: string][] => [
  ['overview', '/'],
  ['targets', '/targets'],
  ['new target', '/targets/new'],
  ['target', `/targets/${scene.target.id}`],
  ['its consumers', `/targets/${scene.target.id}?tab=consumers`],
  ['its secret', `/targets/${scene.target.id}?tab=verify`],
  ['its settings', `/targets/${scene.target.id}?tab=settings`],
  ['consumers', '/consumers'],
  ['consumers, none match', '/consumers?q=nobody'],
  ['new consumer', '/consumers/new'],
  ['new consumer, syncs', `/consumers/new?target=${scene.target.id}&step=2`],
  ['new consumer, saving', `/consumers/new?target=${scene.target.id}&step=6`],
  ['healthy consumer', `/consumers/${scene.healthy.id}`],
  ['consumer with dead letters', `/consumers/${scene.refused.id}`],
  ['stopped consumer', `/consumers/${scene.stopped.id}`],
  ['its filter', `/consumers/${scene.stopped.id}?tab=filter`],
  ['its settings', `/consumers/${scene.stopped.id}?tab=settings`],
  ['its changes', `/consumers/${scene.paused.id}?tab=changes`],
  ['its parked entries', `/consumers/${scene.refused.id}?tab=parked`],
  ['its dead letters', `/consumers/${scene.refused.id}?tab=dead-letters`],
  ['filtered deliveries', `/consumers/${scene.healthy.id}?record=r-1&since=2026-01-01T00:00:00Z`],
  ['a delivery', `/consumers/${scene.stopped.id}?delivery=${opened.attempt}`],
  ['a dead letter', `/dead-letters?consumer=${scene.refused.id}&letter=${opened.letter}`],
  ['paused consumer', `/consumers/${scene.paused.id}`],
  ['dead letters, none chosen', '/dead-letters'],
  ['dead letters', `/dead-letters?consumer=${scene.refused.id}`],
  ['alerts', '/alerts'],
  ['streams', '/streams'],
  ['settings', '/settings'],
  ['API keys', '/settings?tab=keys'],
  ['changes', '/settings?tab=changes'],
];

// Contrast depends on the theme, and what is laid out on the width: each is had with the other once. In the short form
// every second page is examined in one of the two ways, and the others in the other.
test.each([
  { colorScheme: 'light', width: 1280, turn: 0 },
  { colorScheme: 'dark', width: 400, turn: 1 },
] as const)(
  'axe finds nothing on any page in the $colorScheme theme at $width pixels, and none has to be scrolled sideways',
  async ({ colorScheme, width, turn }) => {
    await using tab = await openTab({ colorScheme, viewport: { width, height: 800 } });
    const { page, context } = tab;
    const found: string[] = [];
    async function examine(name: string): Promise<void> {
      found.push(...(await axeFaults(page)).map((one) => `${name}: ${one}`));
      const wide = Number(await page.evaluate('document.documentElement.scrollWidth'));
      if (wide > width) found.push(`${name}: is ${wide} pixels wide`);
    }
    await page.goto(`${site().url}/signin`);
    await page.getByRole('heading').first().waitFor();
    await examine('sign-in');
    await site().signIn(context);
    await openPage(page, `${site().url}/nothing/here`);
    await examine('not found');
    for (const [name, path] of shareOf(pages(), turn, 2)) {
      await goTo(page, path);
      await expect.poll(() => page.locator('html').getAttribute('data-theme')).toBe(colorScheme);
      await examine(name);
    }
    expect(found).toEqual([]);
  },
  300_000,
);

test('with a key that may only read all actions are disabled and say why, to a screen reader as well, and no request is made that would be refused', async () => {
  const { url, signIn, cluster } = site();
  const { target, healthy, refused, stopped } = scene;
  const acts: [path: string, names: string[]][] = [
    ['/', ['Add new', 'Resume', 'Test']],
    ['/targets', ['Add new']],
    [
      `/targets/${target.id}?tab=settings`,
      ['Send test webhook', 'Pause all', 'Resume all', 'Save changes', 'Delete'],
    ],
    [
      `/targets/${target.id}?tab=verify`,
      ['Send test webhook', 'Pause all', 'Resume all', 'Rotate secret'],
    ],
    [
      `/targets/${target.id}?tab=consumers`,
      ['Send test webhook', 'Pause all', 'Resume all', 'Add new'],
    ],
    ['/consumers', ['Add new']],
    [`/consumers/${healthy.id}?tab=filter`, ['Pause', 'Seek', 'Edit filter']],
    [
      `/consumers/${stopped.id}?tab=settings`,
      ['Seek', 'Resume', 'Save changes', 'Duplicate', 'Delete consumer'],
    ],
    [`/consumers/${stopped.id}?delivery=${opened.attempt}`, ['Resend this entry']],
    [`/dead-letters?consumer=${refused.id}&letter=${opened.letter}`, ['Replay…', 'Delete…']],
    ['/streams', ['Send a sample…']],
    ['/settings?tab=keys', []],
    ['/consumers/new', []],
    ['/targets/new', []],
  ];
  await using tab = await openTab(); // a 403 would be a complaint
  const { page, context } = tab;
  await signIn(context, await keyOf(['read']));
  await openPage(page, url);
  const found: string[] = [];
  for (const [path, names] of acts) {
    await goTo(page, path);
    await expect
      .poll(() => refusedButtons(page), { message: path, timeout: 15_000 })
      .toEqual(names);
    if (names.length === 0) await page.getByText(MAY_READ).waitFor();
    if (/settings|new/u.test(path)) {
      found.push(...(await axeFaults(page)).map((one) => `${path}: ${one}`));
    }
  }
  expect(found).toEqual([]);

  await openPage(page, `${url}/consumers/${healthy.id}`);
  await page.getByRole('button', { name: 'Pause' }).focus();
  await page.getByRole('tooltip').getByText(MAY_READ).waitFor();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  await expect
    .poll(() => page.getByRole('button', { name: 'Seek' }).evaluate(isFocused))
    .toBe(true);
  expect(await page.getByRole('dialog').count()).toBe(0);
  expect((await cluster.get(healthy.id)).status).toBe('active');
}, 240_000);

test('a page that a key may not use offers to sign in with another key, and leads back to the page', async () => {
  const { url, signIn, apiKey } = site();
  await using tab = await openTab({ expected: [/401/u] });
  const { page, context } = tab;
  await signIn(context, await keyOf(['read']));
  await page.goto(`${url}/consumers/new`);
  await page.getByRole('button', { name: 'Sign in with another key' }).click();
  await page.getByLabel('API key').fill(apiKey);
  await page.getByLabel('API key').press('Enter');
  await page.getByRole('heading', { name: '1. Select target' }).waitFor();
  expect(page.url()).toBe(`${url}/consumers/new`);
});

test('with a key that may only append the console says so, makes no request that would be refused, and can append', async () => {
  const { url, signIn, cluster } = site();
  await using tab = await openTab();
  const { page, context } = tab;
  await signIn(context, await keyOf(['ingest']));
  await page.goto(`${url}/consumers`);
  await page
    .getByText('This key can only append to the streams: it lacks the scope read.')
    .waitFor();
  await page.getByRole('button', { name: 'Send a sample…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByText(/^Appended to records/u).waitFor();
  const { events } = await cluster.request<{ events: unknown[] }>(
    'GET',
    '/v1/events?sync_id=sample',
  );
  expect(events).toHaveLength(1);
});

test('dead letters are grouped, counted before they are replayed, and gone once they were accepted', async () => {
  const { url, signIn, cluster } = site();
  const { healthy, refused, receiver } = scene;
  for (const { id } of [healthy, refused]) await cluster.caughtUp(id, 40_000);
  await using tab = await openTab();
  const { page, context } = tab;
  await signIn(context);
  await openPage(page, `${url}/dead-letters?consumer=${refused.id}`);
  const groups = page.getByRole('list', { name: 'Groups by failure' });
  await groups.getByText('422').waitFor();
  await expect.poll(() => groups.getByRole('listitem').count()).toBe(1);

  const before = receiver.received.length;
  receiver.respond = accept;
  await page.getByRole('button', { name: `Replay all ${REFUSED} dead letters` }).click();
  const dialog = page.getByRole('dialog', { name: `Replay ${REFUSED} dead letters?` });
  await dialog.getByRole('button', { name: `Replay ${REFUSED} dead letters` }).click();
  await page.getByText(`${REFUSED} dead letters queued for replay`).waitFor();
  await until(() => receiver.received.length >= before + REFUSED);
  const sent = receiver.received.slice(before);
  expect(sent.every(({ body }) => body.includes('poison'))).toBe(true);
  expect(new Set(sent.map(({ id }) => id)).size).toBe(REFUSED);
  await page.getByText('No dead letters', { exact: true }).waitFor();
  await until(async () => (await cluster.get(refused.id)).parked === 0);
});

async function keyOf(scopes: string[]): Promise<string> {
  const input = { name: scopes.join(), scopes };
  return (await site().cluster.request<{ key: string }>('POST', '/v1/api-keys', input)).key;
}

/** The names of buttons that may not be pressed and say so, as the browser tells a screen reader. */
async function refusedButtons(page: Page): Promise<string[]> {
  const session = await page.context().newCDPSession(page);
  const { nodes } = await session.send('Accessibility.getFullAXTree');
  await session.detach();
  return nodes
    .filter(
      ({ role, description, properties = [] }) =>
        role?.value === 'button' &&
        [MAY_READ, MAY_NOT_APPEND].includes(String(description?.value)) &&
        properties.some(({ name, value }) => name === 'disabled' && value.value === true) &&
        properties.some(({ name }) => name === 'focusable'),
    )
    .map(({ name }) => String(name?.value));
}

const isFocused = (element: { matches(selectors: string): boolean }): boolean =>
  element.matches(':focus');

async function firstOf(path: string): Promise<string> {
  const page = await site().cluster.request<{ data: { id: string }[] }>('GET', path);
  return page.data[0]?.id ?? '';
}
