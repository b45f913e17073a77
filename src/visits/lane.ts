import type { Logger } from 'pino';

import { CHANNELS } from '../db/channels.ts';
import type { Listener } from '../db/listener.ts';
import { startDrain } from '../delivery/drain.ts';
import type { Drain, DrainContext } from '../delivery/drainContext.ts';
import type { DrainEnd } from '../delivery/ending.ts';
import type { SenderConfig } from '../delivery/senderConfig.ts';
import { createLoop } from '../process/loop.ts';
import type { Lease, Release } from '../progress/lease.ts';
import { createVisiting } from './visiting.ts';
import { createVisitProgress } from './visitProgress.ts';
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

const CLAIMED_AT_ONCE = 500;
const LOOK_FOR_LOST_MS = 1_000;
const TICK_MS = 50;
/**
 * Opens a lane. It claims consumers that want an entry, and is their sender until they have been caught up
 * for a while. Each is sent to by the engine of a drain, with its lease, fence and promises. One that
 * stays busy, fails, or can't be sent to, goes to a drain of its own.
 */
export function openLane(options: LaneOptions): Lane {
  const { store, listener, holder, region, leaseMs, log } = options;
  const visiting = createVisiting();
  const leavers = new Set<string>(); // of those visited, the ones that are busy
  const ends = new Set<Promise<void>>();
  let claimed = 0;
  let handedOver = 0;
  let closing = false;
  let lookForLostAt = 0;
  let said: string | null = null; // the last interruption, which is logged once

  const progress = createVisitProgress(options.context.progress, store, wantsOf);
  const context: DrainContext = {
    ...options.context,
    progress,
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
  const stops = [
    listener.on(CHANNELS.visits, loop.ask),
    ...Object.values(context.tails).map((tail) => tail.follow(() => undefined, [])),
  ];
  const poll = setInterval(loop.ask, options.pollMs);
  const ticks = setInterval(tick, TICK_MS);
  loop.ask();

  async function claimSome(): Promise<void> {
    const now = performance.now();
    const room = options.most - visiting.size;
    if (closing || room <= 0) return;
    const lost = now >= lookForLostAt;
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
        visiting.remove(one.consumerId);
        leavers.delete(one.consumerId);
      });
    ends.add(ended);
  }

  /** Is the sender of a claimed consumer until that ends. */
  async function live(one: ToVisit, leaseUntil: number): Promise<void> {
    const { consumerId, lease, config } = one;
    if (closing || config === null || config instanceof Error || !mayVisit(config, lease)) {
      await giveBack(one);
      return;
    }
    const drain = begin(one, config, context, leaseUntil);
    visiting.add(consumerId, drain);
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
    const released = await progress.release({
      consumerId,
      epoch,
      idle: false,
      head: 'keep',
      wants,
    });
    if (!released || closing) return;
    handedOver += 1;
    options.handOver(consumerId, position + 1);
  }

  /** By whom a consumer is sent to next. */
  function wantsOf({ consumerId, idle, head, parked, wants }: Release): Pick<Release, 'wants'> {
    if (wants !== undefined) return {};
    if (idle && parked !== true) return {};
    const goesOn = closing && head === null && !leavers.has(consumerId) && parked !== true;
    return { wants: goesOn ? 'visit' : 'drain' };
  }

  function tick(): void {
    for (const consumerId of visiting.tick(performance.now())) {
      leavers.add(consumerId);
      visiting.yieldOne(consumerId);
    }
    if (visiting.size >= options.most) visiting.endQuietest(CLAIMED_AT_ONCE); // others want an entry
  }

  async function close(): Promise<void> {
    closing = true;
    clearInterval(poll);
    for (const stop of stops) stop();
    await loop.close();
    visiting.yieldAll();
    await Promise.all(ends);
    clearInterval(ticks);
  }

  return {
    close,
    get reading() {
      return { visiting: visiting.size, visits: claimed, handedOver };
    },
  };
}

/** Begins to send to a claimed consumer. */
function begin(
  one: ToVisit,
  config: SenderConfig,
  context: DrainContext,
  leaseUntil: number,
): Drain {
  return startDrain({
    context,
    config,
    lease: one.lease,
    leaseUntil,
    failedAttempts: one.failedAttempts,
    parkedRows: [],
    nowMs: context.now,
    isFresh: true,
    isConfirmed: isConfirmed(one, config),
  });
}

/** Whether a lane sends to the consumer: nothing of it fails or is parked, and no command waits. */
function mayVisit({ deleted, held, status }: SenderConfig, lease: Lease): boolean {
  const fails = lease.head !== null || lease.parked || lease.faulted !== null;
  return !fails && !deleted && !held && status === 'active';
}

/** Whether the last sender has confirmed what this one begins with. */
function isConfirmed({ confirmed }: ToVisit, { version, target, filters }: SenderConfig): boolean {
  return (
    confirmed.version === version &&
    confirmed.targetId === target.id &&
    confirmed.targetVersion === target.version &&
    filters.every(({ filterFrom }) => filterFrom !== null)
  );
}
