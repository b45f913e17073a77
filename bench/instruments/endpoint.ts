import { setTimeout as wait } from 'node:timers/promises';

import type { Percentiles } from '../../test/support/percentiles.ts';
import { startChild } from './child.ts';
import { holdsWithin } from './poll.ts';
import type { Received } from './receiver.ts';

/** The receiver, which runs in a process of its own. */
export interface Endpoint extends AsyncDisposable {
  pid: number;
  url: string;
  /** Sets all counts to zero. From now on latencies are measured and message ids kept if the options say so. */
  reset(options?: { latency?: boolean; ids?: boolean }): Promise<void>;
  /** Refuses connections from now on, for `ms`; resolves once that has begun. */
  refuses(ms: number): Promise<void>;
  /** What has been received since the last reset. */
  received(): Promise<Received>;
  /** The times from append to receipt since the last reset, ms; throws unless they are measured. */
  latency(): Promise<Percentiles>;
  /** Resolves with what has been received once `total` entries have arrived, or when the time is over. */
  arrived(total: number, timeoutMs: number): Promise<Received>;
  /** Resolves once `total` entries have arrived; throws when that takes too long, or when more arrive. */
  gets(total: number, timeoutMs: number): Promise<Received>;
}

const POLL_MS = 25;
/** An entry that was sent twice would arrive again within this time. */
const EXTRA_MS = 200;

/** Starts the receiver in a process of its own. */
export async function startEndpoint(): Promise<Endpoint> {
  const child = startChild<{ url: string }>(new URL('./receiver.ts', import.meta.url), null);
  const { url } = await child.reported;

  async function ask(path: string): Promise<Received> {
    const response = await fetch(`${url}/_bench/${path}`);
    return (await response.json()) as Received;
  }

  async function arrived(total: number, timeoutMs: number): Promise<Received> {
    let received = await ask('received');
    await holdsWithin(
      timeoutMs,
      async () => {
        received = await ask('received');
        return received.total >= total;
      },
      POLL_MS,
    );
    return received;
  }

  async function gets(total: number, timeoutMs: number): Promise<Received> {
    const received = await arrived(total, timeoutMs);
    if (received.total < total) {
      throw new Error(
        `the receiver has got ${received.total} of ${total} after ${timeoutMs / 1000} s`,
      );
    }
    await wait(EXTRA_MS);
    const after = await ask('received');
    if (after.total > total) throw new Error(`the receiver has got ${after.total}, not ${total}`);
    return received;
  }

  return {
    pid: child.pid,
    url,
    reset: async ({ latency = false, ids = false } = {}) => {
      const asked = [...(latency ? ['latency=1'] : []), ...(ids ? ['ids=1'] : [])];
      await ask(`reset?${asked.join('&')}`);
    },
    refuses: async (ms) => {
      await ask(`refuse?ms=${ms}`);
    },
    received: () => ask('received'),
    latency: async () => {
      const { latency } = await ask('received?latency=1');
      if (latency === null) throw new Error('the receiver was not reset to measure latency');
      return latency;
    },
    arrived,
    gets,
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}
