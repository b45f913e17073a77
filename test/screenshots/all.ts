import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { Browser } from 'playwright-core';

import { countPast } from '../../bench/consolePages.ts';
import { openInstallation, type Installation } from '../../bench/instruments/installation.ts';
import { insertScene } from '../../bench/instruments/scene.ts';
import { launchChromium } from '../support/chromium.ts';
import { openPage } from '../support/consolePage.ts';
import { everyPage, type ShownThings } from '../support/everyPage.ts';

const WINDOWS = [
  { width: 400, height: 800 },
  { width: 1280, height: 800 },
  { width: 1920, height: 1080 },
];
const THEMES = ['light', 'dark'] as const;
/** What is below is no longer on a picture. */
const MOST_HEIGHT = 3_000;
/** Charts and live tails have drawn. */
const SETTLED_MS = 700;
const ENTRIES = 30;

interface Taken {
  browser: Browser;
  folder: string;
  say: (line: string) => void;
}

/**
 * Takes a picture of each page at 400, 1280 and 1920 px, light and dark, with 0, 1 and 10,000 consumers, as
 * `CONSUMERS-PAGE-WIDTH-THEME.png` in the folder, to be looked at. It takes some twenty minutes.
 */
export async function takeAll(folder: string, say: (line: string) => void): Promise<void> {
  await mkdir(folder, { recursive: true });
  const browser = await launchChromium();
  const taken = { browser, folder, say };
  try {
    await takeFew(taken);
    await takeMany(taken);
  } finally {
    await browser.close();
  }
}

/** Without a consumer, and with one that sends. */
async function takeFew(taken: Taken): Promise<void> {
  await using installation = await open();
  await takeEach(taken, installation, '0', null);
  const { id } = await installation.consumer({ name: 'Orders to the warehouse' });
  const events = Array.from({ length: ENTRIES }, (_, n) => ({
    sync_id: 'shop',
    collection_id: 'shop:order',
    upstream_id: `order-${1_001 + n}`,
    event: n % 3 === 0 ? 'updated' : 'created',
    data: { number: 1_001 + n, state: 'paid' },
  }));
  await installation.api('POST', '/v1/events', { events });
  await installation.until('the first entries are listed as delivered', async () => {
    const path = `/v1/${attempts(id)}?limit=100`;
    const { data } = await installation.api<{ data: unknown[] }>('GET', path);
    return data.length === ENTRIES;
  });
  await takeEach(taken, installation, '1', await shownOf(installation, id));
}

/** With 10,000, some in trouble, and a week of attempts. */
async function takeMany(taken: Taken): Promise<void> {
  await using installation = await open();
  const { id } = await installation.consumer({ name: 'The busy one' });
  // The worker would start 10,000 workflows meanwhile, and send.
  const { worker } = installation.pids();
  if (worker != null) process.kill(worker, 'SIGSTOP');
  try {
    await insertScene(installation, id);
    await countPast(installation);
    await takeEach(taken, installation, '10000', await shownOf(installation, id));
  } finally {
    if (worker != null) process.kill(worker, 'SIGCONT');
  }
}

function open(): Promise<Installation> {
  const { signal } = new AbortController();
  return openInstallation({ profileDir: null, logsDir: null, signal });
}

const attempts = (id: string): string => `consumers/${id}/attempts`;

/** The consumer and its target, its newest failed attempt or else its newest, and its newest dead letter. */
async function shownOf({ api }: Installation, id: string): Promise<ShownThings> {
  const newest = async (path: string): Promise<string | null> => {
    const { data } = await api<{ data: { id: string }[] }>('GET', `/v1/${path}`);
    return data[0]?.id ?? null;
  };
  const { target_id: target } = await api<{ target_id: string }>('GET', `/v1/consumers/${id}`);
  return {
    consumer: id,
    target,
    attempt:
      (await newest(`${attempts(id)}?outcome=failed&limit=1`)) ??
      (await newest(`${attempts(id)}?limit=1`)),
    letter: await newest(`consumers/${id}/dead-letters?limit=1`),
  };
}

async function takeEach(
  { browser, folder, say }: Taken,
  { url, apiKey }: Installation,
  consumers: string,
  shown: ShownThings | null,
): Promise<void> {
  for (const viewport of WINDOWS) {
    for (const colorScheme of THEMES) {
      const context = await browser.newContext({ viewport, colorScheme, reducedMotion: 'reduce' });
      await context.request.post(`${url}/v1/session`, { data: { api_key: apiKey } });
      const page = await context.newPage();
      for (const [name, path] of everyPage(shown)) {
        await page.setViewportSize(viewport);
        await openPage(page, `${url}${path}`);
        const whole = await page.evaluate<number>('document.documentElement.scrollHeight');
        const height = Math.min(MOST_HEIGHT, Math.max(viewport.height, whole));
        await page.setViewportSize({ width: viewport.width, height });
        await page.waitForTimeout(SETTLED_MS);
        const file = join(folder, `${consumers}-${name}-${viewport.width}-${colorScheme}.png`);
        await page.screenshot({ path: file });
        say(file);
      }
      await context.close();
    }
  }
}
