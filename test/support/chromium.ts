import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { chromium, type Browser } from 'playwright-core';
const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** Two test files may find it missing at once: the second waits for the first and installs nothing. */
const INSTALL =
  'command -v chromium || { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium; }';
const INSTALL_MS = 280_000;

/**
 * A headless Chromium with a fresh profile: the one of `CHROMIUM`, or the first on the PATH. Where
 * there is none, root on Debian gets it by apt-get, once; elsewhere this throws what to do.
 */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium() ?? installChromium(), args: FLAGS });
}

function findChromium(): string | undefined {
  const named = process.env['CHROMIUM'];
  if (named !== undefined && named !== '') return named;
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function installChromium(): string {
  if (process.getuid?.() !== 0 || !isDebian()) {
    throw new Error(
      `The browser tests need Chromium and find none of ${NAMES.join(', ')} on the PATH: install it ` +
        '(Debian: sudo apt-get install chromium), or set CHROMIUM to the path of one.',
    );
  }
  process.stderr.write(
    'Installing Chromium for the browser tests, once: apt-get install chromium\n',
  );
  const lock = '/var/lock/millrace-chromium';
  const done = spawnSync('flock', [lock, 'sh', '-c', INSTALL], {
    encoding: 'utf8',
    timeout: INSTALL_MS,
  });
  const found = findChromium();
  if (found !== undefined) return found;
  throw new Error(
    `apt-get install chromium failed; run it by hand, or set CHROMIUM to the path of one:\n${done.stdout}${done.stderr}`,
  );
}

function isDebian(): boolean {
  try {
    return /^ID=debian$/mu.test(readFileSync('/etc/os-release', 'utf8'));
  } catch {
    return false; // not a Linux with such a file
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
