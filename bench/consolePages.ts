import { performance } from 'node:perf_hooks';

import type { Browser, Page, Request } from 'playwright-core';

import { openDb } from '../src/db/db.ts';
import { createSyncs } from '../src/streams/syncs.ts';
import { countAttempts } from '../src/telemetry/attemptTotals.ts';
import { launchChromium } from '../test/support/chromium.ts';
import { openPage } from '../test/support/consolePage.ts';
import { percentilesOf } from '../test/support/percentiles.ts';
import { PAST } from './instruments/consolePast.ts';
import { ANSWER_MS, timeReads } from './instruments/consoleReads.ts';
import type { Figure } from './instruments/figures.ts';
import type { Installation } from './instruments/installation.ts';
import { insertScene, type Scene } from './instruments/scene.ts';

const VISITS = 8;
const MOST_ROWS = 60;
/** The row of the list of consumers to which the bench scrolls. */
const SCROLL_TO = 1_000;
const SCROLL_MS = 60_000;

/**
 * Measures the console with 10,000 consumers and a million attempts in the database: each request that it makes
 * to the API by itself, and each page in a browser.
 */
export async function consolePages(installation: Installation): Promise<Figure[]> {
  const { id } = await installation.consumer({ name: 'The busy one' });
  // The reconciler would start 10,000 workflows meanwhile, but only reading is to be measured.
  const { worker } = installation.pids();
  if (worker != null) process.kill(worker, 'SIGSTOP');
  const browser = await launchChromium();
  try {
    const scene = await insertScene(installation, id);
    await countPast(installation);
    return [
      { name: 'attempts in the database', value: PAST.attempts, unit: '' },
      ...(await timeReads(installation, scene)),
      ...(await timePages(installation, browser, scene)),
    ];
  } finally {
    await browser.close();
    if (worker != null) process.kill(worker, 'SIGCONT');
  }
}

/** Counts what the server would count in the following minutes, while pages are measured. */
export async function countPast({ databaseUrl }: Installation): Promise<void> {
  await using db = openDb({
    url: databaseUrl,
    max: 2,
    statementTimeoutMs: 600_000,
    onError: () => undefined,
  });
  await countAttempts(db);
  await createSyncs(db).rollUp();
  await db.query('vacuum analyze');
}

/** The pages, their parts and their filters, with their addresses. */
function pagesOf({ busy, shared, own, event }: Scene): [name: string, path: string][] {
  const consumer = `/consumers/${busy}`;
  const target = `/targets/${shared}`;
  return [
    ['overview', '/'],
    ['targets', '/targets'],
    ['target', target],
    ['target, 7 days', `${target}?range=7d`],
    ['target, failed', `${target}?outcome=failed`],
    ['target, consumers', `${target}?tab=consumers`],
    ['target, settings', `${target}?tab=settings`],
    ['target of one consumer', `/targets/${own}`],
    ['new target', '/targets/new'],
    ['consumers', '/consumers'],
    ['consumers, searched', '/consumers?q=consumer-5000'],
    ['consumers, paused', '/consumers?status=paused'],
    ['consumers, blocked', '/consumers?status=blocked'],
    ['consumers, with dead letters', '/consumers?has=dead_letters'],
    ['consumers, of a target', `/consumers?target=${shared}`],
    ['new consumer', '/consumers/new'],
    ['busy consumer', consumer],
    ['busy consumer, 7 days', `${consumer}?range=7d`],
    ['busy consumer, failed', `${consumer}?outcome=failed`],
    ['busy consumer, of a record', `${consumer}?record=r-77`],
    ['busy consumer, of an event', `${consumer}?event=${event}`],
    ['busy consumer, since an hour', `${consumer}?since=1h`],
    ['busy consumer, parked', `${consumer}?tab=parked`],
    ['busy consumer, dead letters', `${consumer}?tab=dead-letters`],
    ['busy consumer, filter', `${consumer}?tab=filter`],
    ['busy consumer, settings', `${consumer}?tab=settings`],
    ['busy consumer, changes', `${consumer}?tab=changes`],
    ['dead letters', '/dead-letters'],
    ['dead letters of the busy one', `/dead-letters?consumer=${busy}`],
    ['alerts', '/alerts'],
    ['alerts of a kind', '/alerts?kind=gone'],
    ['streams', '/streams'],
    ['streams, one sync', '/streams?sync=sync-7'],
    ['streams, an event', `/streams?entry=${event}`],
    ['streams, records', '/streams?stream=records'],
    ['settings', '/settings'],
    ['settings, keys', '/settings?tab=keys'],
    ['settings, changes', '/settings?tab=changes'],
  ];
}

async function timePages(
  { url, apiKey }: Installation,
  browser: Browser,
  scene: Scene,
): Promise<Figure[]> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  await context.request.post(`${url}/v1/session`, { data: { api_key: apiKey } });
  const page = await context.newPage();
  const figures = [...(await scroll(page, `${url}/consumers`)), await timeSearch(page, url)];
  for (const [name, path] of pagesOf(scene)) {
    const { answers, shown, slowest } = await visit(page, `${url}${path}`);
    const { count, p50, p95 } = percentilesOf(answers);
    const whole = percentilesOf(shown);
    figures.push(
      {
        name: `page ${name}, an answer of the API, p95`,
        value: p95,
        unit: 'ms',
        goal: { most: ANSWER_MS },
        note: `p50 ${p50.toFixed(1)}, ${count} answers, slowest ${slowest}`,
      },
      {
        name: `page ${name}, opened anew and shown with its data, p95`,
        value: whole.p95,
        unit: 'ms',
        note: `p50 ${whole.p50.toFixed(0)}`,
      },
    );
  }
  return figures;
}

/** Types texts into the search of everything, each once, and notes how long it takes until the results are shown. */
async function timeSearch(page: Page, url: string): Promise<Figure> {
  await openPage(page, `${url}/settings`);
  const box = page.getByRole('combobox', { name: 'Search everything' });
  const times: number[] = [];
  for (let count = 1; count <= VISITS; count += 1) {
    await box.fill('');
    const from = performance.now();
    await box.fill(`r-${77 * count}`);
    await page.getByText(/\d results?\. Use the arrow keys/u).waitFor();
    times.push(performance.now() - from);
  }
  const { p50, p95 } = percentilesOf(times);
  return {
    name: 'from typing in the search to its results, p95',
    value: p95,
    unit: 'ms',
    note: `p50 ${p50.toFixed(0)}, of which it waits 150 for more to be typed`,
  };
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

/** Scrolls through the list of consumers; measures how many rows are drawn at most and how long a frame takes. */
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
