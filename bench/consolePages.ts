import { performance } from 'node:perf_hooks';

import type { Browser, Page, Request } from 'playwright-core';

import { launchChromium } from '../test/support/chromium.ts';
import { openPage } from '../test/support/consolePage.ts';
import { percentilesOf } from '../test/support/percentiles.ts';
import { insertConsumers } from './consumersList.ts';
import { insertPast, PAST } from './instruments/consolePast.ts';
import type { Figure } from './instruments/figures.ts';
import type { Installation } from './instruments/installation.ts';

const VISITS = 20;
const ANSWER_MS = 300;
const MOST_ROWS = 60;
/** The row of the list of consumers to which the bench scrolls. */
const SCROLL_TO = 1_000;
const SCROLL_MS = 60_000;

/** Measures the console in a browser, with 10,000 consumers and a million attempts in the database. */
export async function consolePages(installation: Installation): Promise<Figure[]> {
  const { id } = await installation.consumer({ name: 'The busy one' });
  // The reconciler would start 10,000 workflows meanwhile, but only reading is to be measured.
  const { worker } = installation.pids();
  if (worker != null) process.kill(worker, 'SIGSTOP');
  const browser = await launchChromium();
  try {
    await insertConsumers(installation, id);
    await insertPast(installation.sql, id);
    return await measure(installation, browser, id);
  } finally {
    await browser.close();
    if (worker != null) process.kill(worker, 'SIGCONT');
  }
}

async function measure(
  installation: Installation,
  browser: Browser,
  id: string,
): Promise<Figure[]> {
  const { data: targets } = await installation.api<{ data: { id: string }[] }>(
    'GET',
    '/v1/targets',
  );
  const pages: [name: string, path: string][] = [
    ['overview', '/'],
    ['targets', '/targets'],
    ['target', `/targets/${targets[0]?.id ?? ''}`],
    ['consumers', '/consumers'],
    ['consumers, searched', '/consumers?q=consumer-5000'],
    ['consumers, paused', '/consumers?status=paused'],
    ['new consumer', '/consumers/new'],
    ['busy consumer', `/consumers/${id}`],
    ['dead letters', `/dead-letters?consumer=${id}`],
    ['alerts', '/alerts'],
    ['streams', '/streams'],
    ['settings', '/settings'],
  ];
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const data = { api_key: installation.apiKey };
  await context.request.post(`${installation.url}/v1/session`, { data });
  const page = await context.newPage();
  const attempts = PAST.failures + PAST.batches * PAST.batchSize;
  const figures: Figure[] = [
    { name: 'attempts in the database', value: attempts, unit: '' },
    ...(await scroll(page, `${installation.url}/consumers`)),
  ];
  for (const [name, path] of pages) {
    const { answers, shown, slowest } = await visit(page, `${installation.url}${path}`);
    const { count, p95 } = percentilesOf(answers);
    figures.push(
      {
        name: `${name}, an answer of the API, p95`,
        value: p95,
        unit: 'ms',
        goal: { most: ANSWER_MS },
        note: `${count} answers, slowest ${slowest}`,
      },
      { name: `${name}, shown with its data, p95`, value: percentilesOf(shown).p95, unit: 'ms' },
    );
  }
  return figures;
}

/** Opens a page `VISITS` times, and notes how long each of its requests took. */
async function visit(
  page: Page,
  url: string,
): Promise<{ answers: number[]; shown: number[]; slowest: string }> {
  const answers: number[] = [];
  const shown: number[] = [];
  let slowest = { ms: -1, what: 'none' };
  const note = (request: Request): void => {
    const { pathname, search } = new URL(request.url());
    if (!pathname.startsWith('/v1/') || search.includes('wait_for=')) return; // a long poll waits on purpose
    const { requestStart, responseEnd } = request.timing();
    const ms = responseEnd - requestStart;
    answers.push(ms);
    if (ms > slowest.ms) slowest = { ms, what: `${Math.round(ms)} ms: ${pathname}${search}` };
  };
  page.on('requestfinished', note);
  for (let count = 0; count < VISITS; count += 1) {
    const from = performance.now();
    await openPage(page, url);
    shown.push(performance.now() - from);
  }
  page.off('requestfinished', note);
  return { answers, shown, slowest: slowest.what.slice(0, 120) };
}

/** Scrolls through the list of consumers; measures how many rows it draws at most and how long a frame takes. */
async function scroll(page: Page, url: string): Promise<Figure[]> {
  await openPage(page, url);
  await page.evaluate(FRAMES);
  let most = 0;
  let last = 0;
  await page.mouse.move(640, 500);
  const from = performance.now();
  while (last < SCROLL_TO && performance.now() - from < SCROLL_MS) {
    await page.mouse.wheel(0, 800);
    const rows = await page.evaluate<{ count: number; last: number }>(ROWS);
    most = Math.max(most, rows.count);
    last = Math.max(last, rows.last);
  }
  const frames = percentilesOf(await page.evaluate<number[]>('benchFrames'));
  return [
    {
      name: 'consumers scrolled through',
      value: last,
      unit: 'rows',
      goal: { least: SCROLL_TO },
      note: `in ${((performance.now() - from) / 1_000).toFixed(1)} s`,
    },
    {
      name: 'rows in the document meanwhile, at most',
      value: most,
      unit: 'rows',
      goal: { most: MOST_ROWS },
    },
    {
      name: 'a frame meanwhile, p95',
      value: frames.p95,
      unit: 'ms',
      note: `worst ${Math.round(frames.max)}`,
    },
  ];
}

/** A script that notes in the page how long each frame takes from now on. */
const FRAMES = `(() => {
  window.benchFrames = [];
  let before = performance.now();
  const next = (now) => {
    window.benchFrames.push(now - before);
    before = now;
    requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
})()`;

const ROWS = `(() => {
  const rows = [...document.querySelectorAll('[role=row]')];
  return { count: rows.length, last: Number(rows.at(-1)?.getAttribute('aria-rowindex') ?? 0) };
})()`;
