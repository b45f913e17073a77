import type { Page, Request } from 'playwright-core';
import { expect, test } from 'vitest';

import { createTurns } from '../../src/console/turns.ts';
import { openOwnApp } from '../support/app.ts';
import { browserOfFile } from '../support/browser.ts';
import { serve } from '../support/serve.ts';

const CONSUMERS = 100;
const AT_ONCE = 3;
/** Rows that move a little once their height is known. */
const MEASURED = 3;

const openTab = browserOfFile();

test('of 100 consumers only the visible rows request their traffic, three at a time, and not again when the list is refreshed', async () => {
  await using api = await openOwnApp();
  await using site = await serve(api);
  const { body: target } = await api.request('POST', '/v1/targets', {
    name: 'endpoint',
    base_url: 'http://127.0.0.1:9',
  });
  for (let n = 0; n < CONSUMERS; n += 1) {
    const input = { name: `Consumer ${n}`, target_id: target.id, stream: 'events' };
    await api.request('POST', '/v1/consumers', input);
  }
  await using tab = await openTab();
  const { page, context } = tab;
  await site.signIn(context);
  const asked: string[] = [];
  page.on('request', (request) => isTraffic(request) && asked.push(request.url()));
  const listIsRead = () =>
    page.waitForResponse((answer) => {
      const { pathname, searchParams } = new URL(answer.url());
      return pathname === '/v1/consumers' && !searchParams.has('include');
    });

  // While the first answers are held back, nobody else asks, and the list goes on.
  const gate = Promise.withResolvers<void>();
  await page.route(/\/metrics\?/u, async (route) => {
    await gate.promise;
    await route.continue();
  });
  await page.goto(`${site.url}/consumers`);
  await expect.poll(() => asked.length, { timeout: 15_000 }).toBe(AT_ONCE);
  await listIsRead();
  expect(asked).toHaveLength(AT_ONCE);

  gate.resolve();
  await shown(page);
  const screen = await rowsInSight(page);
  expect(asked.length).toBeGreaterThan(AT_ONCE);
  expect(asked.length).toBeLessThanOrEqual(screen);

  await page.evaluate('scrollTo(0, document.documentElement.scrollHeight)'); // at once: keys glide
  await page.getByText(/^Consumer 0$/u).waitFor();
  await shown(page);
  const last = await rowsInSight(page);
  await page.evaluate('scrollTo(0, 0)');
  await page.getByText(`Consumer ${CONSUMERS - 1}`).waitFor();
  await shown(page);
  await listIsRead();
  expect(new Set(asked).size, 'nobody asks twice').toBe(asked.length);
  expect(asked.length).toBeLessThanOrEqual(screen + last + MEASURED);
  process.stderr.write(
    `traffic of ${CONSUMERS} consumers: ${asked.length} requests for two screens, of ${screen} and ${last} rows\n`,
  );
});

test('turns are taken in order, and pass on when a caller leaves or fails', async () => {
  const turn = createTurns(1);
  const stay = new AbortController().signal;
  const leave = new AbortController();
  const first = Promise.withResolvers<string>();
  const ran: string[] = [];
  const run = (name: string, work: () => Promise<string>, signal: AbortSignal) =>
    turn(() => {
      ran.push(name);
      return work();
    }, signal);
  const all = Promise.allSettled([
    run('first', () => first.promise, stay),
    run('left', () => Promise.resolve('left'), leave.signal),
    run('third', () => Promise.resolve('third'), stay),
  ]);
  leave.abort(new Error('scrolled away'));
  first.reject(new Error('refused'));
  expect((await all).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
  expect(ran).toEqual(['first', 'third']);
  await expect(run('late', () => Promise.resolve(''), leave.signal)).rejects.toThrow('scrolled');
});

function isTraffic(request: Request): boolean {
  return request.url().includes('/metrics?');
}

/** Each row in sight shows its traffic. */
async function shown(page: Page): Promise<void> {
  const isLacking = '!row.innerText.includes("nothing sent")';
  await expect
    .poll(async () => [await page.evaluate(IN_SIGHT(isLacking)), (await rowsInSight(page)) > 0], {
      timeout: 15_000,
    })
    .toEqual([0, true]);
}

async function rowsInSight(page: Page): Promise<number> {
  return Number(await page.evaluate(IN_SIGHT('true')));
}

/** Counts rows of consumers that the screen shows any of. */
const IN_SIGHT = (also: string): string => `[...document.querySelectorAll('[role=row][data-index]')]
  .filter((row) => {
    const { top, bottom } = row.lastElementChild.getBoundingClientRect();
    return bottom > 0 && top < innerHeight && ${also};
  }).length`;
