// the console with as many consumers as a company has
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { serve, type Served } from '../support/serve.ts';

const MANY = 304;
const AT_ONCE = 10;
const IN_TROUBLE = ['Orders of Accra', 'Orders of Tema'];
/** The only one of its target, which fails in its own way. */
const ELSEWHERE = 'Stock of Kumasi';
const HEIGHT = 800;

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;
beforeAll(async () => {
  opened = await openConsumersApi();
  site = await serve(opened.api);
  const names = Array.from({ length: MANY }, (_, n) => IN_TROUBLE[n - 100] ?? `Consumer ${n}`);
  while (names.length > 0) {
    const some = names.splice(0, AT_ONCE);
    const made = await Promise.all(some.map((name) => opened.create({ name })));
    for (const { id, name } of made) if (IN_TROUBLE.includes(name)) await block(id, 503);
  }
  const { body: shop } = await opened.api.request('POST', '/v1/targets', {
    name: 'Shop in Kumasi',
    base_url: 'https://example.com/shop',
  });
  await block((await opened.create({ name: ELSEWHERE, target_id: shop.id })).id, 401);
}, 120_000);
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

async function block(id: string, status: number): Promise<void> {
  const since = '2026-11-23T12:03:00Z';
  const code = status < 500 ? 'HTTP_4XX' : 'HTTP_5XX';
  const failure = { code, status, detail: `HTTP ${status}`, at: since, since };
  await opened.setCursor(
    id,
    `head = 1, attempt = 3, schedule_from = '${since}', next_attempt_at = now() + interval '1 hour',
     last_failure = '${JSON.stringify(failure)}'`,
  );
  await opened.api.db.query({
    text: `update consumers set status = 'blocked', failing_since = $2 where id = $1`,
    values: [id, since],
  });
}

test.each([
  ['on a desk', 1280],
  ['on a phone', 400],
])(
  'among 305 consumers those in trouble are named on the first screen of Overview, %s, by target and cause, each one click away',
  async (_where, width) => {
    await using tab = await openTab({ viewport: { width, height: HEIGHT } });
    const { page, context } = tab;
    await site.signIn(context);
    await openPage(page, `${site.url}/`);
    const troubles = page.getByRole('list', { name: 'Troubles' }).getByRole('listitem');
    await troubles.nth(1).waitFor();
    await expect.poll(() => troubles.count()).toBe(2);
    const [most, other] = ['HTTP 503', 'HTTP 401'].map((hasText) => troubles.filter({ hasText }));
    await expect.poll(() => most!.innerText()).toContain('2 of 304 consumers');
    await expect.poll(() => other!.innerText()).toContain('the only consumer of');

    // Nothing is scrolled, and what matters is whole in the window.
    expect(await page.evaluate('scrollY')).toBe(0);
    const seen = (found: Locator, name: string) =>
      expect
        .poll(() => placeOf(found, width), { message: `${name} is on the first screen` })
        .toBe('inside');
    const strip = page.getByRole('navigation', { name: 'States' });
    for (const name of [/^305 consumers/u, /^302 active/u, /^3 blocked/u, /^0 stopped/u]) {
      await seen(strip.getByRole('link', { name }), String(name));
    }
    await seen(page.getByRole('heading', { name: 'Trouble' }), 'the heading');
    await seen(most!.getByRole('link', { name: 'one', exact: true }), 'the target');
    await seen(other!.getByRole('link', { name: 'Shop in Kumasi' }), 'the other target');
    await seen(most!.getByText('HTTP 503'), 'the cause');
    await seen(other!.getByText('HTTP 401'), 'the other cause');
    for (const name of IN_TROUBLE) await seen(most!.getByRole('link', { name }), name);
    await seen(other!.getByRole('link', { name: ELSEWHERE }), ELSEWHERE);
    await seen(page.getByRole('button', { name: 'Retry all' }), 'what can be done');

    await most!.getByRole('link', { name: IN_TROUBLE[0]! }).click();
    await page.getByRole('heading', { level: 1, name: /Orders of Accra/u }).waitFor();
  },
);

test('five troubles are shown at first, so that the charts are not far below; the others on request', async () => {
  for (let n = 0; n < 5; n += 1) {
    const { body: target } = await opened.api.request('POST', '/v1/targets', {
      name: `Endpoint ${n}`,
      base_url: `https://example.com/${n}`,
    });
    await block((await opened.create({ name: `only ${n}`, target_id: target.id })).id, 503);
  }
  await using tab = await openTab({ viewport: { width: 400, height: HEIGHT } });
  const { page, context } = tab;
  await site.signIn(context);
  await openPage(page, `${site.url}/`);
  const troubles = page.getByRole('list', { name: 'Troubles' }).getByRole('listitem');
  const more = page.getByRole('button', { name: 'Show 2 more' });
  await more.waitFor();
  await expect.poll(() => troubles.count()).toBe(5);
  await more.click();
  await expect.poll(() => troubles.count()).toBe(7);
  expect(await more.count()).toBe(0);
});

/** Whether something is whole in the window: `inside`, or else where its box is. */
async function placeOf(found: Locator, width: number): Promise<string> {
  const box = await found.boundingBox();
  if (box === null) return 'nowhere';
  const isInside =
    box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= HEIGHT;
  return isInside ? 'inside' : JSON.stringify(box);
}
