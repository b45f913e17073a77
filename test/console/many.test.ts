// the console with as many consumers as a company has
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { serve, type Served } from '../support/serve.ts';

const MANY = 305;
const AT_ONCE = 10;
const IN_TROUBLE = ['Orders of Accra', 'Orders of Tema'];

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
    for (const { id, name } of made) if (IN_TROUBLE.includes(name)) await block(id);
  }
}, 120_000);
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

async function block(id: string): Promise<void> {
  const since = '2026-11-23T12:03:00Z';
  const failure = { code: 'HTTP_5XX', status: 503, detail: 'HTTP 503', at: since, since };
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
  'among 305 consumers the two in trouble are named on the first screen of Overview, %s, each with its cause and a link to its page',
  async (_where, width) => {
    await using tab = await openTab({ viewport: { width, height: 800 } });
    const { page, context } = tab;
    await site.signIn(context);
    const began = performance.now();
    await page.goto(`${site.url}/`);
    const troubles = page.getByRole('list', { name: 'Troubles' }).getByRole('listitem');
    await troubles.getByRole('link', { name: IN_TROUBLE[1]! }).waitFor();
    const took = Math.round(performance.now() - began);
    process.stderr.write(`two of ${MANY} in trouble are named after ${took} ms, ${width} px\n`);
    await openPage(page, `${site.url}/`); // everything else is there as well
    expect(await troubles.count()).toBe(1);
    expect(await troubles.innerText()).toContain('2 of 305 consumers');
    const bottom = async (found: Locator): Promise<number> => {
      const box = await found.boundingBox();
      return (box?.y ?? NaN) + (box?.height ?? NaN);
    };
    expect(await bottom(troubles.getByText('HTTP 503'))).toBeLessThan(800);
    for (const name of IN_TROUBLE) {
      expect(await bottom(troubles.getByRole('link', { name })), name).toBeLessThan(800);
    }
    const blocked = page
      .getByRole('navigation', { name: 'States' })
      .getByRole('link', { name: /^2 blocked/u });
    expect(await bottom(blocked)).toBeLessThan(800);
    await troubles.getByRole('link', { name: IN_TROUBLE[0]! }).click();
    await page.getByRole('heading', { level: 1, name: /Orders of Accra/u }).waitFor();
  },
);
