// `npm run screenshots`: the console's pages with the demo's data, as docs/images/console-*.png. With
// `-- --all FOLDER` every page goes into that folder, in each width, theme and size of an installation.
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import type { Browser } from 'playwright-core';

import { startStack, type Stack } from '../../src/embedded/stack.ts';
import { launchChromium } from '../support/chromium.ts';
import { openPage } from '../support/consolePage.ts';
import { takeAll } from './all.ts';
import { toPalette } from './palette.ts';
import { openShowEndpoint, playPast, playPresent, type Shown } from './show.ts';

const IMAGES = fileURLToPath(new URL('../../docs/images/', import.meta.url));
const MOST_BYTES = 150 * 1_024;
/** Charts and live tails have drawn. */
const SETTLED_MS = 1_500;
/** In which what fails in the show's past dies. */
const SHORT_WINDOW = '5s';

interface Picture {
  name: string;
  path: string;
  dark?: boolean;
  /** Buttons and choices that are pressed first. */
  press?: RegExp[];
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

const { values } = parseArgs({ options: { all: { type: 'string' } } });
if (values.all === undefined) await takeForDocs();
else await takeAll(resolve(process.env['INIT_CWD'] ?? '.', values.all), say);

/** In a folder of data that goes with them. */
async function takeForDocs(): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'millrace-pictures-'));
  await chmod(dataDir, 0o711); // Postgres runs as another user when we are root
  try {
    await using endpoint = await openShowEndpoint();
    await withStack(dataDir, { MILLRACE_RETRY_WINDOW: SHORT_WINDOW }, (stack) =>
      playPast(stack, endpoint.url),
    );
    await withStack(dataDir, {}, async (stack) => {
      const shown = await playPresent(stack, endpoint.url);
      const browser = await launchChromium();
      try {
        for (const picture of picturesOf(shown, endpoint.url)) await take(browser, stack, picture);
      } finally {
        await browser.close();
      }
    });
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

function picturesOf(shown: Shown, endpoint: string): Picture[] {
  const { live, blocked, attempt, strict, target } = shown;
  const draft = new URLSearchParams({ name: 'Warehouse', url: `${endpoint}/warehouse` }).toString();
  return [
    { name: 'overview', path: '/' },
    { name: 'targets', path: '/targets' },
    { name: 'target', path: `/targets/${target}` },
    { name: 'target-new', path: `/targets/new?${draft}`, press: [/Send test webhook/u] },
    { name: 'consumers', path: '/consumers' },
    { name: 'consumers-dark', path: '/consumers', dark: true },
    {
      name: 'wizard',
      path: `/consumers/new?target=${target}&step=3`,
      press: [/^Selected/u, /market:stock/u],
    },
    { name: 'consumer', path: `/consumers/${live}` },
    { name: 'consumer-dark', path: `/consumers/${live}`, dark: true },
    { name: 'filter', path: `/consumers/${live}?tab=filter`, press: [/Edit filter/u] },
    { name: 'blocked', path: `/consumers/${blocked}` },
    { name: 'delivery', path: `/consumers/${blocked}?delivery=${attempt}` },
    { name: 'dead-letters', path: `/dead-letters?consumer=${strict}` },
    { name: 'alerts', path: '/alerts' },
    { name: 'streams', path: '/streams' },
    { name: 'settings', path: '/settings' },
  ];
}

async function take(browser: Browser, stack: Stack, picture: Picture): Promise<void> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    colorScheme: picture.dark === true ? 'dark' : 'light',
    reducedMotion: 'reduce',
  });
  await context.request.post(`${stack.url}/v1/session`, { data: { api_key: stack.apiKey } });
  const page = await context.newPage();
  await openPage(page, `${stack.url}${picture.path}`);
  for (const name of picture.press ?? []) {
    await page
      .getByRole('button', { name })
      .or(page.getByRole('radio', { name }))
      .or(page.getByRole('checkbox', { name }))
      .first()
      .click();
  }
  await page.waitForTimeout(SETTLED_MS);
  const path = join(IMAGES, `console-${picture.name}.png`);
  const bytes = toPalette(await page.screenshot());
  await context.close();
  say(`${path} ${Math.round(bytes.length / 1_024)} KB`);
  if (bytes.length > MOST_BYTES) {
    throw new Error(`${path} would have ${bytes.length} bytes, more than ${MOST_BYTES}`);
  }
  await writeFile(path, bytes);
}

/** On the one data folder; nothing of the user's own settings. */
async function withStack(
  dataDir: string,
  more: Record<string, string>,
  work: (stack: Stack) => Promise<void>,
): Promise<void> {
  const { PATH, HOME, XDG_CACHE_HOME } = process.env;
  const stack = await startStack({
    env: {
      ...(PATH !== undefined && { PATH }),
      ...(HOME !== undefined && { HOME }),
      ...(XDG_CACHE_HOME !== undefined && { XDG_CACHE_HOME }),
      MILLRACE_PORT: '0',
      MILLRACE_DATA_DIR: join(dataDir, 'data'),
      MILLRACE_ALERT_EMAIL: 'night@example.com',
      LOG_LEVEL: 'error',
      ...more,
    },
    receiver: true,
    say,
  });
  try {
    await work(stack);
  } finally {
    await stack.stop();
  }
}
