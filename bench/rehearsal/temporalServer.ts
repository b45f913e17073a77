import { Connection } from '@temporalio/client';

import type { EmbeddedServer } from '../../src/embedded/postgres.ts';
import {
  identityOf,
  spawnDetached,
  stopProcess,
  until,
  whenGone,
} from '../../src/embedded/processes.ts';
import { channelArgsFor } from '../../src/process/proxies.ts';

/** A running Temporal server on Postgres. */
export interface TemporalServer extends EmbeddedServer {
  address: string;
}

/** How to start it. */
export interface TemporalServerOptions {
  program: string;
  /** Its whole environment, which also says where it listens. */
  env: NodeJS.ProcessEnv;
  address: string;
  logFile: string;
  /** Aborts the start. */
  signal: AbortSignal;
}

const START_MS = 60_000;
const ANSWER_MS = 1_000;

/** Starts the four services of Temporal in one process, as its image does. Resolves once the frontend answers. */
export async function startTemporalServer(options: TemporalServerOptions): Promise<TemporalServer> {
  const { program, env, address, logFile, signal } = options;
  const child = spawnDetached({ command: program, args: ['start'], env, logFile });
  let failure: string | null = null;
  child.once('error', (error) => (failure = String(error)));
  child.once('exit', (code, signal) => (failure ??= `it ended with ${signal ?? code}`));
  const { pid } = child;
  const up = await until(
    async () => failure !== null || signal.aborted || (await answers(address)),
    START_MS,
  );
  if (signal.aborted) failure ??= 'it was interrupted';
  if (!up || failure !== null || pid === undefined) {
    child.kill('SIGKILL');
    throw new Error(`it did not start: ${failure ?? `no answer within ${START_MS / 1_000} s`}`);
  }
  const identity = identityOf(pid);
  const ours = (one: number): boolean => identity !== null && identityOf(one) === identity;
  return {
    pid,
    address,
    gone: (signal) => whenGone(pid, ours, signal),
    stop: (patienceMs = 10_000) =>
      stopProcess(pid, ours, [
        ['SIGTERM', patienceMs],
        ['SIGKILL', 2_000], // safe, because all its data is in Postgres
      ]),
  };
}

async function answers(address: string): Promise<boolean> {
  try {
    const connection = await Connection.connect({
      address,
      ...channelArgsFor(address),
      connectTimeout: ANSWER_MS,
    });
    await connection.close();
    return true;
  } catch {
    return false; // not listening yet
  }
}
