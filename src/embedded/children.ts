import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const FOLLOW_PARENT = new URL('./followParent.ts', import.meta.url).href;
const FIRST_BACKOFF_MS = 500;
const LAST_BACKOFF_MS = 5_000;
/** A child that has lived this long is healthy: after its next end the back-off begins again. */
const HEALTHY_MS = 30_000;

/** A process that is kept running. */
export interface Child {
  /** Its name in messages: `API` or `worker`. */
  name: string;
  /** The id of the process that runs now; null while none does. */
  pid(): number | null;
  /** How often the process has ended on its own. */
  deaths(): number;
  /** Ends the process, so that another one starts with the environment as it is by then. */
  restart(): void;
  /** Ends it for good: SIGTERM, then SIGKILL after `graceMs`. Resolves when it has ended. */
  stop(graceMs: number): Promise<void>;
  /** Sends SIGKILL now, even while `stop` waits. */
  kill(): void;
}

/** What to run, and how to report on it. */
export interface ChildOptions {
  name: string;
  file: URL;
  /** Called at each start. */
  env: () => NodeJS.ProcessEnv;
  /** Gets stdout and stderr; without it they go to those of this process. */
  logFile?: string;
  say: (line: string) => void;
}

/**
 * Runs a Node process and starts it again whenever it ends. It runs in its own process group, so that
 * a Ctrl-C reaches only the supervisor, and it ends by itself when the supervisor is killed.
 */
export function keepChild(options: ChildOptions): Child {
  const stopping = new AbortController();
  let current: ChildProcess | null = null;
  let deaths = 0;
  let restarting = false;

  async function run(): Promise<void> {
    let backoff = FIRST_BACKOFF_MS;
    while (!stopping.signal.aborted) {
      const started = performance.now();
      const ended = await runOnce();
      if (stopping.signal.aborted) return;
      if (restarting) {
        restarting = false;
        continue;
      }
      deaths += 1;
      if (performance.now() - started > HEALTHY_MS) backoff = FIRST_BACKOFF_MS;
      options.say(
        `The ${options.name} process ended (${ended}): starting it again in ${backoff} ms`,
      );
      await wait(backoff, undefined, { signal: stopping.signal }).catch(() => undefined); // stopping
      backoff = Math.min(backoff * 2, LAST_BACKOFF_MS);
    }
  }

  async function runOnce(): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    const log = options.logFile === undefined ? null : openSync(options.logFile, 'a', 0o600);
    const output = log ?? 'inherit';
    const stdio: StdioOptions = ['ignore', output, output, 'ipc'];
    const child = spawn(
      process.execPath,
      ['--import', FOLLOW_PARENT, fileURLToPath(options.file)],
      { env: options.env(), detached: true, stdio },
    );
    if (log !== null) closeSync(log); // the child has its own
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    current = child;
    if (deaths > 0) options.say(`The ${options.name} process is ${child.pid} now`);
    const ended = await promise;
    current = null;
    return ended;
  }

  const done = run();
  return {
    name: options.name,
    pid: () => current?.pid ?? null,
    deaths: () => deaths,
    restart: () => {
      restarting = current !== null;
      current?.kill('SIGTERM');
    },
    stop: async (graceMs) => {
      stopping.abort();
      current?.kill('SIGTERM');
      const late = setTimeout(() => {
        options.say(
          `The ${options.name} process has not ended after ${graceMs / 1000} s: killing it`,
        );
        current?.kill('SIGKILL');
      }, graceMs);
      await done;
      clearTimeout(late);
    },
    kill: () => current?.kill('SIGKILL'),
  };
}
