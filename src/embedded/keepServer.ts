import { setTimeout as wait } from 'node:timers/promises';

import type { EmbeddedServer } from './postgres.ts';

/** A server that is kept running; disposing of it stops the server. */
export interface Kept<S> extends AsyncDisposable {
  /** The server that runs, or ran last. */
  now(): S;
}

/** What to keep running, and how to report on it. */
export interface KeepOptions<S> {
  name: string;
  start: () => Promise<S>;
  say: (line: string) => void;
  stopping: AbortSignal;
  /** Called when the server has come back at another address. */
  moved: () => void;
  /** How long a clean end may take, ms. */
  patience: () => number;
}

/** Starts a server, and starts it again on its data whenever it ends before `stopping` aborts. */
export async function keepServer<S extends EmbeddedServer>(
  options: KeepOptions<S>,
): Promise<Kept<S>> {
  const { name, say, stopping } = options;
  let current = await options.start();
  const own = new AbortController();
  const signal = AbortSignal.any([stopping, own.signal]);

  async function watch(): Promise<void> {
    while (!signal.aborted) {
      await current.gone(signal);
      if (signal.aborted) return;
      say(`${name} (process ${current.pid}) ended: starting it again`);
      await again();
    }
  }

  async function again(): Promise<void> {
    while (!signal.aborted) {
      try {
        const next = await options.start();
        const moved = addressOf(next) !== addressOf(current);
        current = next;
        if (moved) options.moved();
        return;
      } catch (error) {
        say(`${name} does not start: ${(error as Error).message}`);
        await wait(1_000, undefined, { signal });
      }
    }
  }

  const watching = watch().catch((error: unknown) => {
    if (!signal.aborted) throw error; // aborted waits end here
  });
  return {
    now: () => current,
    [Symbol.asyncDispose]: async () => {
      own.abort();
      await watching;
      await current.stop(options.patience());
    },
  };
}

function addressOf(server: EmbeddedServer): unknown {
  return 'url' in server ? server.url : (server as { address?: string }).address;
}
