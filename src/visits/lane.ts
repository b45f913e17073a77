import type { Logger } from 'pino';

import { CHANNELS } from '../db/channels.ts';
import type { Listener } from '../db/listener.ts';
import { startDrain } from '../delivery/drain.ts';
import type { Drain, DrainContext } from '../delivery/drainContext.ts';
import type { DrainEnd } from '../delivery/ending.ts';
import { createLoop } from '../process/loop.ts';
import type { Confirmation } from '../progress/filterRows.ts';
import type { Release } from '../progress/lease.ts';
import { isBusy } from './busyness.ts';
import { together } from './together.ts';
import type { ToVisit, VisitStore } from './visitStore.ts';

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
export interface LaneOptions {
  /** As for the process's drains, with the connections that visits share. */
  context: DrainContext;
  store: VisitStore;
  listener: Pick<Listener, 'on'>;
  /** Names this process in the cursor. */
  holder: string;
  region: string;
  leaseMs: number;
  /** How long a consumer is visited after its last entry, ms. */
  lingerMs: number;
  /** The pause between two looks without a hint, ms. */
  pollMs: number;
  /** The most consumers that are visited at the same time. */
  most: number;
  /** Hints a consumer's workflow that it needs a drain. A hint that is lost is made up for by the leader. */
  handOver: (consumerId: string, wanted: number) => void;
  log: Logger;
}

interface Visit {
  drain: Drain;
  /** Since when its sender has not been quiet, monotonic ms, and how much had settled by then. */
  busySince: number | null;
  settledBefore: number;
}

const CLAIMED_AT_ONCE = 500;
const LOOK_FOR_LOST_MS = 1_000;
const TICK_MS = 50;
/** How long a release or a confirmation waits for others, ms. */
const TOGETHER_MS = 10;
const TOGETHER_MOST = 1_000;

/**
 * Opens a lane. It claims consumers that want an entry, and is their sender until they have been caught up
 * for a while. Each is sent to by the engine of a drain, with its lease, fence and promises. One that
 * stays busy, fails, or can't be sent to, goes to a drain of its own.
 */
export function openLane(options: LaneOptions): Lane {
  const { store, listener, holder, region, leaseMs, log } = options;
  const visits = new Map<string, Visit>();
  const leavers = new Set<string>(); // of those visited, the ones that are busy
  const ends = new Set<Promise<void>>();
  let claimed = 0;
  let handedOver = 0;
  let closing = false;
  let lookForLostAt = 0;
  let said: string | null = null; // the last interruption, which is logged once

  const release = together({
    run: (released: Release[]) => store.release(released),
    waitMs: TOGETHER_MS,
    most: TOGETHER_MOST,
  });
  const confirm = together({
    run: async (taken: Confirmation[]) => {
      await store.confirm(taken);
      return taken.map(() => undefined);
    },
    waitMs: TOGETHER_MS,
    most: TOGETHER_MOST,
  });
  const context: DrainContext = {
    ...options.context,
    progress: {
      ...options.context.progress,
      confirm,
      release: (released) => release({ ...released, ...wantsOf(released) }),
    },
    idleAfterMs: options.lingerMs,
    timeBudgetMs: Infinity,
  };
  const loop = createLoop({
    turn: claimSome,
    failed: (error) => {
      const reason = error instanceof Error ? error.message : 'unknown';
      if (reason !== said) log.warn({ err: error }, 'visits were interrupted; trying again');
      said = reason;
    },
  });
  // The tails go on reading, so that an entry is in memory when its consumer is claimed.
  const { records, events } = context.tails;
  const stops = [
    listener.on(CHANNELS.visits, loop.ask),
    records.follow(() => undefined, []),
    events.follow(() => undefined, []),
  ];
  const poll = setInterval(loop.ask, options.pollMs);
  const ticks = setInterval(tick, TICK_MS);
  loop.ask();

  async function claimSome(): Promise<void> {
    const now = performance.now();
    const room = options.most - visits.size;
    const lost = now >= lookForLostAt;
    if (closing || room <= 0) return;
    if (lost) lookForLostAt = now + LOOK_FOR_LOST_MS;
    const limit = Math.min(room, CLAIMED_AT_ONCE);
    const leaseUntil = now + leaseMs; // read before, so that it ends here no later than in Postgres
    const found = await store.claim({ holder, leaseMs, region, limit, lost: false });
    const left = lost ? await store.claim({ holder, leaseMs, region, limit, lost: true }) : [];
    for (const one of [...found, ...left]) visit(one, leaseUntil);
    if (found.length === limit || left.length === limit) loop.ask();
    said = null;
  }

  function visit(one: ToVisit, leaseUntil: number): void {
    claimed += 1;
    const ended = live(one, leaseUntil)
      .catch((error: unknown) => {
        const fields = { err: error, consumer_id: one.consumerId };
        log.error(fields, 'a visit ended with an error; the consumer goes to a drain of its own');
        return giveBack(one);
      })
      .finally(() => {
        ends.delete(ended);
        visits.delete(one.consumerId);
        leavers.delete(one.consumerId);
      });
    ends.add(ended);
  }

  /** Is the sender of a claimed consumer until that ends. */
  async function live(one: ToVisit, leaseUntil: number): Promise<void> {
    const { consumerId, lease, config } = one;
    const drains = lease.head !== null || lease.parked || lease.faulted !== null;
    if (closing || drains || config === null || config instanceof Error || isNotSentTo(config)) {
      await giveBack(one);
      return;
    }
    const drain = startDrain({
      context,
      config,
      lease,
      leaseUntil,
      failedAttempts: one.failedAttempts,
      parkedRows: [],
      nowMs: context.now,
      isFresh: true,
      isConfirmed: isConfirmed(one, config),
    });
    visits.set(consumerId, { drain, busySince: performance.now(), settledBefore: 0 });
    after(consumerId, await drain.ended);
  }

  /** Hints what follows when a visit has ended; what is stored is the truth. */
  function after(consumerId: string, { reason, position, parkedDueAt }: DrainEnd): void {
    const isOver = reason === 'fenced' || (reason === 'idle' && parkedDueAt === null);
    if (isOver || (reason === 'yielded' && !leavers.has(consumerId))) return;
    handedOver += 1;
    options.handOver(consumerId, position + 1);
  }

  /** Ends a claim that no sender took, and hands the consumer over unless the lane closes. */
  async function giveBack({ consumerId, lease }: ToVisit): Promise<void> {
    const { epoch, position } = lease;
    const wants = closing ? 'visit' : 'drain';
    const released = await release({ consumerId, epoch, idle: false, head: 'keep', wants });
    if (!released || closing) return;
    handedOver += 1;
    options.handOver(consumerId, position + 1);
  }

  /** By whom a consumer is sent to next. */
  function wantsOf({ consumerId, idle, head, parked }: Release): Pick<Release, 'wants'> {
    if (idle && parked !== true) return {};
    const goesOn = closing && head === null && !leavers.has(consumerId) && parked !== true;
    return { wants: goesOn ? 'visit' : 'drain' };
  }

  function tick(): void {
    const now = performance.now();
    for (const [consumerId, visited] of visits) {
      const { drain } = visited;
      if (now < drain.restsUntil) continue; // nearly all of them
      drain.tick(now);
      if (!staysBusy(visited, now)) continue;
      leavers.add(consumerId);
      drain.stop('yielded');
    }
    if (visits.size >= options.most) endQuietest();
  }

  function staysBusy(visited: Visit, now: number): boolean {
    const { drain } = visited;
    if (drain.quietSince !== null) {
      visited.busySince = null;
      return false;
    }
    if (visited.busySince === null) {
      visited.busySince = now;
      visited.settledBefore = drain.settledCount;
    }
    const settled = drain.settledCount - visited.settledBefore;
    return isBusy({ settled, busyMs: now - visited.busySince });
  }

  /** Makes room for those that want an entry. */
  function endQuietest(): void {
    const quiet = [...visits.values()].filter(({ drain }) => drain.quietSince !== null);
    quiet.sort((a, b) => (a.drain.quietSince ?? 0) - (b.drain.quietSince ?? 0));
    for (const { drain } of quiet.slice(0, CLAIMED_AT_ONCE)) drain.stop('idle');
  }

  async function close(): Promise<void> {
    closing = true;
    clearInterval(poll);
    for (const stop of stops) stop();
    await loop.close();
    for (const { drain } of visits.values()) drain.stop('yielded');
    await Promise.all(ends);
    clearInterval(ticks);
  }

  return {
    close,
    get reading() {
      return { visiting: visits.size, visits: claimed, handedOver };
    },
  };
}

function isNotSentTo({ deleted, held, status }: Exclude<ToVisit['config'], Error | null>): boolean {
  return deleted || held || status !== 'active';
}

/** Whether the last sender has confirmed what this one begins with. */
function isConfirmed(
  { confirmed }: ToVisit,
  { version, target, filters }: Exclude<ToVisit['config'], Error | null>,
): boolean {
  return (
    confirmed.version === version &&
    confirmed.targetId === target.id &&
    confirmed.targetVersion === target.version &&
    filters.every(({ filterFrom }) => filterFrom !== null)
  );
}
