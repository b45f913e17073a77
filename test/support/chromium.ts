import { chromium, type Browser } from 'playwright-core';

import { programOf } from './programs.ts';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/**
 * A headless Chromium with a fresh profile: the one of `CHROMIUM`, or the headless shell, which is Chromium without
 * its window, extensions and services of a profile, and opens a page in a fifth of the CPU time. Where the PATH has
 * none, root on Debian gets it by apt-get, once; else the first Chromium on the PATH is taken, or this throws what
 * to do. `more` are flags for it.
 */
export function launchChromium(more: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium(), args: [...FLAGS, ...more] });
}

function findChromium(): string {
  const named = process.env['CHROMIUM'];
  if (named !== undefined && named !== '') return named;
  return programOf({
    names: ['chromium-headless-shell'],
    debian: 'chromium-headless-shell',
    others: ['chromium', 'chromium-browser', 'google-chrome'],
    tests: 'The browser tests',
    orElse: 'set CHROMIUM to the path of one',
  });
}
