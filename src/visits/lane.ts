import type { Logger } from 'pino';

import { CHANNELS } from '../db/channels.ts';
import type { Listener } from '../db/listener.ts';
import { createLoop } from '../process/loop.ts';
import type { HandOverReason, VisitCounts } from './visitCounts.ts';
import { createVisits, type VisitsOptions } from './visits.ts';

/** How much a lane has done. */
export interface LaneReading {
  /** How many consumers it is the sender of. */
  visiting: number;
  /** How many it has claimed since it began. */
  visits: number;
  /** How many of them it has handed over to drains of their own. */
  handedOver: number;
}

/** Delivers for many quiet consumers, until it is closed. */
export interface Lane {
  /** Lets go of all consumers, which other lanes may then claim; resolves when everything is stored. */
  close(): Promise<void>;
  readonly reading: LaneReading;
}

/** What a lane works with. */
export interface LaneOptions extends Omit<VisitsOptions, 'handOver'> {
  /** Hints a consumer's workflow that it needs a drain. A hint that is lost is made up for by the leader. */
  handOver: (consumerId: string, wanted: number) => void;
  /** Counts visits, for metrics. */
  counts?: VisitCounts | undefined;
  listener: Pick<Listener, 'on'>;
  /** Names this lane in the cursor. */
  holder: string;
  region: string;
  leaseMs: number;
  /** The pause between two looks without a hint, ms. */
  pollMs: number;
  /** The most consumers that are visited at the same time. */
  most: number;
  log: Logger;
}

const CLAIMED_AT_ONCE = 500;
const LOOK_FOR_LOST_MS = 1_000;
const TICK_MS = 50;

/**
 * Opens a lane. It claims consumers that want an entry, and is their sender until they have been caught up
 * for a while, with the lease, fence and promises of any sender. One that stays busy, fails for long, or can't
 * be sent to, goes to a drain of its own.
 */
export function openLane(options: LaneOptions): Lane {
  const { context, store, listener, holder, region, leaseMs, counts, log } = options;
  const visits = createVisits({ ...options, handOver });
  let claimed = 0;
  let closing = false;
  let lookForLostAt = 0;
  let said: string | null = null; // the last interruption, which is logged once

  const loop = createLoop({
    turn: claimSome,
    failed: (error) => {
      const reason = error instanceof Error ? error.message : 'unknown';
      if (reason !== said) log.warn({ err: error }, 'visits were interrupted; trying again');
      said = reason;
    },
  });
  // The tails go on reading, so that an entry is in memory when its consumer is claimed.
  const stops = [
    listener.on(CHANNELS.visits, loop.ask),
    ...Object.values(context.tails).map((tail) => tail.follow(() => undefined, [])),
  ];
  const poll = setInterval(loop.ask, options.pollMs);
  const ticks = setInterval(tick, TICK_MS);
  loop.ask();

  async function claimSome(): Promise<void> {
    const now = performance.now();
    const room = options.most - visits.size;
    if (closing || room <= 0) return;
    const lost = now >= lookForLostAt;
    if (lost) lookForLostAt = now + LOOK_FOR_LOST_MS;
    const limit = Math.min(room, CLAIMED_AT_ONCE);
    const leaseUntil = now + leaseMs; // read before, so that it ends here no later than in Postgres
    const found = await store.claim({ holder, leaseMs, region, limit, lost: false });
    const left = lost ? await store.claim({ holder, leaseMs, region, limit, lost: true }) : [];
    const all = [...found, ...left];
    claimed += all.length;
    counts?.begun(all);
    for (const one of all) visits.begin(one, leaseUntil);
    if (found.length === limit || left.length === limit) loop.ask();
    said = null;
  }

  function tick(): void {
    visits.tick();
    if (visits.size >= options.most) visits.endQuietest(CLAIMED_AT_ONCE); // others want an entry
  }

  function handOver(consumerId: string, wanted: number, why: HandOverReason): void {
    counts?.handedOver(why);
    options.handOver(consumerId, wanted);
  }

  async function close(): Promise<void> {
    closing = true;
    clearInterval(poll);
    for (const stop of stops) stop();
    await loop.close();
    await visits.close();
    clearInterval(ticks);
    closed?.();
  }

  const lane: Lane = {
    close,
    get reading() {
      return { visiting: visits.size, visits: claimed, handedOver: visits.handedOver };
    },
  };
  const closed = counts?.opened({
    get visiting() {
      return visits.size;
    },
  });
  return lane;
}
