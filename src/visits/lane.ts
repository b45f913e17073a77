import type { Logger } from 'pino';

import { CHANNELS } from '../db/channels.ts';
import type { Listener } from '../db/listener.ts';
import { createInterruptions } from '../process/interruptions.ts';
import { createLoop } from '../process/loop.ts';
import { CLAIMED_AT_ONCE, createClaimer, type Current } from './claimer.ts';
import { createLateness } from './lateness.ts';
import { surplusOf, type Shares } from './share.ts';
import { beginTerm } from './term.ts';
import type { HandOverReason, VisitCounts } from './visitCounts.ts';
import { createVisits, type Visits, type VisitsOptions } from './visits.ts';
import type { VisitStore } from './visitStore.ts';

/** How much a lane has done. */
export interface LaneReading {
  /** How many consumers it visits. */
  visiting: number;
  /** How many consumers it has claimed since it began. */
  visits: number;
  /** How many of these it has handed over to drains of their own. */
  handedOver: number;
}

/** Delivers for many quiet consumers, until it is closed. */
export interface Lane {
  /** Releases all consumers, which other lanes may then claim; resolves when everything is stored. */
  close(): Promise<void>;
  readonly reading: LaneReading;
}

/** What a lane works with. */
export interface LaneOptions extends Omit<
  VisitsOptions,
  'handOver' | 'lease' | 'store' | 'isUnsure'
> {
  store: VisitStore;
  /** Hints a consumer's workflow that it needs a drain. If the hint is lost, the leader gives it again. */
  handOver: (consumerId: string, wanted: number) => void;
  /** Counts visits, for metrics. */
  counts?: VisitCounts | undefined;
  listener: Pick<Listener, 'on'>;
  /** Returns a new name for this lane in cursors: each lease has its own. */
  nextHolder: () => string;
  region: string;
  leaseMs: number;
  /** The pause between two checks without a hint, ms. */
  pollMs: number;
  /** The most consumers that are visited at the same time. */
  most: number;
  log: Logger;
}

const TICK_MS = 50;
/** A consumer that counts as visited may not be. */
const UNKNOWN = { floors: { records: null, events: null }, claims: 0 };

/** How many times the lease is renewed within its duration. */
const RENEWALS = 4;

/**
 * Opens a lane. It claims consumers that want an entry, and is their sender until they have been caught up for
 * a while, under a fence and with the same promises as any sender. A consumer that stays busy, fails for long,
 * or can't send is handed over to a drain of its own. One lease stands for all consumers of the lane. When it
 * could not be renewed in time, all of them are released, and the lane begins again under another lease.
 */
export function openLane(options: LaneOptions): Lane {
  const { context, store, listener, leaseMs, counts, log } = options;
  const held = new Set<Current>(); // the current one, and those whose consumers are being released
  const letGo = new Set<Promise<void>>();
  let current: Current | null = null;
  let handedOver = 0;
  let closing = false;
  let isRenewing = false;

  const interruptions = createInterruptions(log, 'visits were interrupted; trying again');
  const { note: interrupted } = interruptions;
  const loop = createLoop({ turn: claimSome, failed: interrupted });
  const lateness = createLateness(TICK_MS);
  const claimer = createClaimer({ ...options, ask: loop.ask, lateness, interrupted });
  // The tails keep reading, so that an entry is in memory when its consumer is claimed.
  const stops = [
    listener.on(CHANNELS.visits, loop.ask),
    ...Object.values(context.tails).map((tail) => tail.follow(() => undefined, [])),
  ];
  const poll = setInterval(loop.ask, options.pollMs);
  const ticks = setInterval(tick, TICK_MS);
  const renewals = setInterval(() => void renewAll(), leaseMs / RENEWALS);
  loop.ask();

  async function claimSome(): Promise<void> {
    if (closing) return;
    current ??= await begin();
    await claimer.claimSome(current);
    interruptions.over();
  }

  async function begin(): Promise<Current> {
    const lane = { id: options.nextHolder(), region: options.region };
    const term = await beginTerm(store.lease, lane, leaseMs);
    const visits = createVisits({ ...options, lease: term, handOver, isUnsure: claimer.isUnsure });
    const begun = { term, visits };
    held.add(begun);
    return begun;
  }

  /**
   * Renews the leases, including those whose consumers are being released, because their requests may take
   * longer than a lease.
   */
  async function renewAll(): Promise<void> {
    const now = performance.now();
    for (const one of held) if (now > one.term.until) lapse(one);
    if (isRenewing) return;
    isRenewing = true;
    await Promise.all([...held].map(renew));
    isRenewing = false;
  }

  async function renew(one: Current): Promise<void> {
    const { term, visits } = one;
    try {
      const mine = visits.size;
      const { begun } = claimer;
      const noted = begun === null ? UNKNOWN : { floors: visits.floors(), claims: begun };
      const all = await term.renew({ ...noted, visiting: mine });
      if (all === null) lapse(one);
      else if (one === current) share(visits, { mine, all: all.visiting, lanes: all.lanes });
    } catch (error) {
      interrupted(error);
    }
  }

  /** Leaves some consumers to lanes that visit fewer, such as those of a worker that has just started. */
  function share(visits: Visits, shares: Shares): void {
    const surplus = surplusOf(shares);
    if (surplus > 0) visits.endQuietest(Math.min(CLAIMED_AT_ONCE, surplus));
  }

  /** The lease is over: whatever this lane still stores is fenced where others have claimed meanwhile. */
  function lapse(one: Current): void {
    if (one !== current) return; // it is being released already
    log.warn('the lease of a lane of visits could not be renewed in time; the lane starts again');
    end();
    loop.ask();
  }

  /** Releases all consumers, and then ends the lease. */
  function end(): void {
    const ended = current;
    current = null;
    if (ended === null) return;
    const isOver = letGoOf(ended)
      .catch(interrupted)
      .finally(() => letGo.delete(isOver));
    letGo.add(isOver);
  }

  async function letGoOf(one: Current): Promise<void> {
    try {
      await one.visits.close();
    } finally {
      held.delete(one);
    }
    await one.term.end();
  }

  function tick(): void {
    lateness.tick();
    for (const { visits } of held) visits.tick();
    if (current === null || current.visits.size < options.most) return;
    // Other consumers want an entry.
    const { visits } = current;
    visits.endFailing(CLAIMED_AT_ONCE - visits.endQuietest(CLAIMED_AT_ONCE));
  }

  function handOver(consumerId: string, wanted: number, why: HandOverReason): void {
    handedOver += 1;
    counts?.handedOver(why);
    options.handOver(consumerId, wanted);
  }

  async function close(): Promise<void> {
    closing = true;
    clearInterval(poll);
    for (const stop of stops) stop();
    await loop.close();
    await claimer.settled();
    end();
    await Promise.all(letGo);
    for (const timer of [renewals, ticks]) clearInterval(timer);
    closed?.();
  }

  const lane: Lane = {
    close,
    get reading() {
      return { visiting: current?.visits.size ?? 0, visits: claimer.claims, handedOver };
    },
  };
  const closed = counts?.opened({
    get visiting() {
      return current?.visits.size ?? 0;
    },
  });
  return lane;
}
