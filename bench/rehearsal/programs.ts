import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, cp, mkdir, mkdtemp, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { userCacheDir } from '../../src/embedded/cache.ts';

/** Temporal's programs that are not in the release that `npm start` uses. */
export interface Programs {
  /** The folder of `temporal-server` and `temporal-sql-tool`. */
  bin: string;
  /** The folder of the schema, which an image has in /etc/temporal/schema. */
  schema: string;
}

/** Which programs to find, and where. */
export interface ProgramsOptions {
  version: string;
  say: (line: string) => void;
  /** The environment for Go: PATH and, if you like, GOFLAGS. */
  env: NodeJS.ProcessEnv;
  cacheDir?: string;
  signal?: AbortSignal;
}

/** Temporal's programs can't be built here. The message is one sentence that says why. */
export class CannotBuild extends Error {
  override name = 'CannotBuild';
}

const MODULE = 'go.temporal.io/server';
const SCHEMA = 'postgresql/v12';
/** The official releases are built with these tags and variables. */
const OFFICIAL = { tags: 'disable_grpc_modules', variables: { CGO_ENABLED: '0' } };
const run = promisify(execFile);

/**
 * Finds Temporal's server, its SQL tool and its schema in the user's cache, or builds them there from their Go
 * module, once for each version. Rejects with `CannotBuild`.
 */
export async function findPrograms(options: ProgramsOptions): Promise<Programs> {
  const cacheDir = options.cacheDir ?? userCacheDir(options.env);
  const name = `temporal-server-${options.version}-${process.platform}-${process.arch}`;
  const folder = join(cacheDir, name);
  const found = { bin: join(folder, 'bin'), schema: join(folder, 'schema') };
  if (await exists(folder)) return found;
  await needGo(options);
  await mkdir(cacheDir, { recursive: true });
  const log = join(cacheDir, `${name}.log`);
  const begun = performance.now();
  options.say(
    `Building the Temporal server ${options.version} with Go (once, which takes some minutes) into ${folder}; log: ${log}`,
  );
  const draft = await mkdtemp(join(cacheDir, 'build-'));
  try {
    await build(options, { draft, log, modules: join(cacheDir, 'go-modules') });
    await rename(draft, folder).catch(async (error: unknown) => {
      if (!(await exists(folder))) throw error; // otherwise another process was first
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  options.say(`Built it in ${((performance.now() - begun) / 1_000).toFixed(0)} s`);
  return found;
}

async function needGo({ version, env }: ProgramsOptions): Promise<void> {
  try {
    await run('go', ['version'], { env });
  } catch (cause) {
    const why =
      (cause as { code?: unknown }).code === 'ENOENT'
        ? 'there is no go on the PATH'
        : String(cause);
    throw new CannotBuild(
      `The rehearsal needs Go, to build the Temporal server ${version} once, and ${why}: install Go (Debian: golang-go).`,
      { cause },
    );
  }
}

/** Fills the draft with bin/ and schema/. The modules stay, and so does what Go has compiled of them. */
async function build(
  options: ProgramsOptions,
  { draft, log, modules }: { draft: string; log: string; modules: string },
): Promise<void> {
  const bin = join(draft, 'bin');
  const env = {
    ...options.env,
    ...OFFICIAL.variables,
    GOBIN: bin,
    GOMODCACHE: modules,
    GOFLAGS: `${options.env['GOFLAGS'] ?? ''} -modcacherw`.trim(),
  };
  const at = `@v${options.version}`;
  const go = (args: string[]): Promise<void> => runGo(args, { env, log, signal: options.signal });
  await go(['mod', 'download', `${MODULE}${at}`]);
  await cp(join(modules, `${MODULE}${at}`, 'schema', SCHEMA), join(draft, 'schema', SCHEMA), {
    recursive: true,
  });
  const packages = ['cmd/server', 'cmd/tools/sql'].map((path) => `${MODULE}/${path}${at}`);
  await go(['install', '-tags', OFFICIAL.tags, ...packages]);
  await rename(join(bin, 'server'), join(bin, 'temporal-server'));
  await rename(join(bin, 'sql'), join(bin, 'temporal-sql-tool'));
}

async function runGo(
  args: string[],
  { env, log, signal }: { env: NodeJS.ProcessEnv; log: string; signal: AbortSignal | undefined },
): Promise<void> {
  await using file = await open(log, 'a');
  const child = spawn('go', args, {
    env,
    cwd: '/', // in no module
    stdio: ['ignore', file.fd, file.fd],
    ...(signal && { signal, killSignal: 'SIGINT' }),
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code === 0) return;
  const last = (await readFile(log, 'utf8')).trim().split('\n').at(-1);
  throw new CannotBuild(`go ${args.join(' ')} failed: ${last}; its log is ${log}.`);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
