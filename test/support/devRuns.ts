import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { choosePort } from '../../src/embedded/state.ts';
import { COMPILE_CACHE } from './compileCache.ts';
import { makeDataFolder } from './dataFolder.ts';
import { until } from './poll.ts';

/** The folder of the project. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** One `millrace dev`, or another command. */
export interface DevRun {
  child: ChildProcess;
  stdout: () => string;
  stderr: () => string;
  exit: Promise<number | NodeJS.Signals>;
}

/** Runs on a data folder and a port of their own; what still runs at its end is stopped, and the folder removed. */
export interface DevRuns extends AsyncDisposable {
  dataDir: string;
  port: number;
  /** `millrace dev` unless another command is given. */
  start(env?: NodeJS.ProcessEnv, command?: string[]): DevRun;
  /** The key that a start has made. */
  key(): Promise<string>;
  isReady(): Promise<boolean>;
}

/** Opens an empty folder for them. */
export async function openDevRuns(): Promise<DevRuns> {
  const dataDir = await makeDataFolder('millrace-start-');
  const port = await choosePort(undefined);
  const runs: DevRun[] = [];

  function start(
    env: NodeJS.ProcessEnv = {},
    command = [process.execPath, join(ROOT, 'cli.ts'), 'dev'],
  ): DevRun {
    const [program = '', ...args] = command;
    const child = spawn(program, args, {
      cwd: ROOT,
      detached: true, // a group of its own, as a terminal makes one
      env: {
        ...COMPILE_CACHE,
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'],
        MILLRACE_DATA_DIR: dataDir,
        MILLRACE_PORT: String(port),
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const exit = once(child, 'exit').then(([code, signal]) => (signal ?? code) as number);
    const run = { child, stdout: () => stdout, stderr: () => stderr, exit };
    runs.push(run);
    return run;
  }

  return {
    dataDir,
    port,
    start,
    key: async () => (await readFile(join(dataDir, 'api-key'), 'utf8')).trim(),
    isReady: async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status === 200,
    [Symbol.asyncDispose]: async () => {
      for (const run of runs) await stopRun(run);
      await rm(dataDir, { recursive: true });
    },
  };
}

/** Resolves with the pids it names once it is ready. */
export async function readyRun(run: DevRun): Promise<Record<string, number>> {
  const line = await until(
    () => {
      const processes = /^ {2}Processes +(.+)$/mu.exec(run.stderr())?.[1];
      if (processes === undefined) throw new Error(run.stderr());
      return processes;
    },
    { timeoutMs: 90_000, what: 'ready' },
  );
  const pids = line.split(', ').map((part) => part.split(' '));
  return Object.fromEntries(pids.map(([name, pid]) => [name, Number(pid)]));
}

/** Ends it with SIGTERM, and resolves when it has ended. */
export async function stopRun(run: DevRun): Promise<void> {
  if (run.child.exitCode !== null || run.child.signalCode !== null) return;
  run.child.kill('SIGTERM');
  await run.exit;
}
