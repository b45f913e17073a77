import type { Logger } from 'pino';

import type { Db } from '../db/db.ts';
import { createInterruptions } from '../process/interruptions.ts';
import { createLoop } from '../process/loop.ts';
import { renewLease, type ClaimedSource, type Seen } from './sourceLeases.ts';

/** Why a source is not to be followed any more as it was. */
export type Over = 'lost' | 'changed' | 'stopped';

/** A lease that is prolonged until it is closed. */
export interface KeptLease {
  /** Aborts when the source has changed, the lease is lost, or it is to be stopped; `over` then says which. */
  signal: AbortSignal;
  readonly over: Over | null;
  /** Renews it soon. */
  hint: () => void;
  /** Stops prolonging it; resolves when the last renewal has ended. */
  close(): Promise<void>;
}

export interface KeepLeaseOptions {
  db: Pick<Db, 'leases'>;
  source: Pick<ClaimedSource, 'id' | 'epoch' | 'version'>;
  leaseMs: number;
  everyMs: number;
  /** What was seen since the last time; it is stored with the renewal. */
  seen: () => Seen;
  stop: AbortSignal;
  log: Pick<Logger, 'warn'>;
}

/**
 * Prolongs a lease. When Postgres has not answered for as long as the lease lasts, it counts as lost: another one may
 * have claimed it.
 */
export function keepLease(options: KeepLeaseOptions): KeptLease {
  const { db, source, leaseMs, everyMs, seen, stop, log } = options;
  const ended = new AbortController();
  const interruptions = createInterruptions(log, 'the lease of a source could not be renewed');
  let over: Over | null = null;
  let heldUntil = performance.now() + leaseMs;
  const loop = createLoop({ turn: renew, failed: interruptions.note });
  const timer = setInterval(() => {
    if (performance.now() > heldUntil) end('lost');
    loop.ask();
  }, everyMs);
  const onStop = (): void => end('stopped');
  stop.addEventListener('abort', onStop);
  if (stop.aborted) onStop();

  async function renew(): Promise<void> {
    const askedAt = performance.now();
    const kept = await renewLease(db.leases, source, { leaseMs, seen: seen() });
    if (kept === null) return end('lost');
    heldUntil = askedAt + leaseMs;
    interruptions.over();
    if (kept.version !== source.version) end('changed');
  }

  function end(why: Over): void {
    over ??= why;
    ended.abort();
  }

  return {
    signal: ended.signal,
    get over() {
      return over;
    },
    hint: loop.ask,
    close: async () => {
      clearInterval(timer);
      stop.removeEventListener('abort', onStop);
      await loop.close();
    },
  };
}
