import { setTimeout as wait } from 'node:timers/promises';

import { keepChild } from '../../src/embedded/children.ts';

/** A `server.ts` or `worker.ts` of the rehearsal, which is restarted when it ends. */
export interface Part {
  name: string;
  logFile: string;
  pid(): number | null;
  /** Ends it as `kill -9` does, and does not restart it. */
  killHard(): Promise<void>;
  /** Starts it again after `killHard`; resolves once it is healthy. */
  start(): Promise<void>;
  /** Ends it with SIGTERM, and with SIGKILL after its grace period. */
  stop(): Promise<void>;
}

/** What to run, and how to tell that it is healthy. */
export interface PartOptions {
  name: string;
  file: URL;
  env: () => NodeJS.ProcessEnv;
  logFile: string;
  /** A path that answers 200 while it is healthy, as in docker-compose.yml. */
  probe: string;
  /** How long it may take to end, ms. */
  graceMs: number;
  say: (line: string) => void;
  /** Aborts a start. */
  signal?: AbortSignal;
}

const START_MS = 90_000;
const PROBE_MS = 2_000;
const POLL_MS = 50;
const KILLED_MS = 5_000;
/** A process that has ended so often before it was healthy will not come up. */
const HOPELESS = 3;

/** Starts a process; resolves once it is healthy, and rejects when it does not become so. */
export async function startPart(options: PartOptions): Promise<Part> {
  const { name, logFile } = options;
  let child = keepChild(options);
  let killed = false;

  async function healthy(): Promise<void> {
    const deadline = performance.now() + START_MS;
    for (let answer = 'no answer'; ; await wait(POLL_MS)) {
      options.signal?.throwIfAborted();
      if (child.deaths() >= HOPELESS) throw new Error('it does not stay up');
      if (performance.now() > deadline) {
        throw new Error(`${options.probe} is not 200 after ${START_MS / 1_000} s: ${answer}`);
      }
      const status = await statusOf(options.probe);
      if (status === 200) return;
      answer = status === null ? 'no answer' : String(status);
    }
  }

  const stop = (graceMs: number): Promise<void> => child.stop(graceMs);
  try {
    await healthy();
  } catch (error) {
    await stop(KILLED_MS);
    throw error;
  }
  return {
    name,
    logFile,
    pid: () => child.pid(),
    killHard: async () => {
      child.kill();
      killed = true;
      await stop(KILLED_MS); // so that it is not started again
    },
    start: async () => {
      if (!killed) throw new Error(`${name} runs`);
      killed = false;
      child = keepChild(options);
      await healthy();
    },
    stop: () => stop(options.graceMs),
  };
}

async function statusOf(url: string): Promise<number | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PROBE_MS) });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return null; // not listening yet
  }
}
