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
 * A headless Chromium with a fresh profile: the one of `CHROMIUM`, or the first on the PATH. Where
 * there is none, root on Debian gets it by apt-get, once; elsewhere this throws what to do.
 */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium(), args: FLAGS });
}

function findChromium(): string {
  const named = process.env['CHROMIUM'];
  if (named !== undefined && named !== '') return named;
  return programOf({
    names: ['chromium', 'chromium-browser', 'google-chrome'],
    debian: 'chromium',
    tests: 'The browser tests',
    orElse: 'set CHROMIUM to the path of one',
  });
}
