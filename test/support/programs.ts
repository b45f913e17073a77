import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** A program that tests run, and where it comes from. */
export interface Program {
  /** What it may be called. */
  names: readonly [string, ...string[]];
  /** The package of Debian that brings it under the first of these names. */
  debian: string;
  /** The tests that need it, for messages. */
  tests: string;
  /** What does as well, only slower: taken where the program can't be had. */
  others?: readonly string[];
  /** What can be done instead of installing it, for messages. */
  orElse?: string;
}

const INSTALL_MS = 280_000;
/** Held by who installs: apt-get runs once at a time, and who waited may find what was missing. */
const LOCK = '/var/lock/millrace-apt';

/**
 * The path of a program: the first of its names on the PATH. Where there is none, root on Debian gets it by
 * apt-get, once; elsewhere another that does as well is taken, or this throws what to do. So no test is left out
 * for want of a program.
 */
export function programOf(program: Program): string {
  const { names, debian, tests, others = [], orElse } = program;
  const found = find(names);
  if (found !== undefined) return found;
  const way = orElse === undefined ? '' : `, or ${orElse}`;
  const other = find(others);
  const failed = join(tmpdir(), `millrace-no-${debian}`);
  const isTried = other !== undefined && existsSync(failed);
  if (process.getuid?.() !== 0 || !isDebian() || isTried) {
    if (other !== undefined) return other;
    throw new Error(
      `${tests} need ${[...names, ...others].join(' or ')} and find none on the PATH: install it ` +
        `(Debian: sudo apt-get install ${debian})${way}.`,
    );
  }
  process.stderr.write(`${tests} need ${names[0]}, once: apt-get install ${debian}\n`);
  const install = `command -v ${names[0]} || { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ${debian}; }`;
  const done = spawnSync('flock', [LOCK, 'sh', '-c', install], {
    encoding: 'utf8',
    timeout: INSTALL_MS,
  });
  const installed = find(names);
  if (installed !== undefined) return installed;
  if (other !== undefined) {
    writeFileSync(failed, `${done.stdout}${done.stderr}`); // so that not each file of tests tries it again
    return other;
  }
  throw new Error(
    `apt-get install ${debian} failed; run it by hand${way}:\n${done.stdout}${done.stderr}`,
  );
}

function find(names: readonly string[]): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
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
