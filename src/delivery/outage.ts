import type { Logger } from 'pino';

import type { FailureHandler } from '../failure/failureHandler.ts';
import type { Outgoing } from '../failure/outgoing.ts';
import type { ParkedEntries } from '../failure/parkedEntries.ts';
import type { Dispatcher } from '../flow/dispatcher.ts';
import type { InFlightLimit } from '../flow/inFlightLimit.ts';
import type { Pace } from '../flow/pace.ts';
import type { SlidingWindow, Slot } from '../flow/slidingWindow.ts';
import type { StoredHead } from '../progress/lease.ts';
import { isSameBody } from '../rules/bodyShape.ts';
import { isOwnRetry } from '../rules/headPlan.ts';
import { recordOf } from '../rules/ordering.ts';
import { isOfBody, isOfEndpoint, isUnreachable } from '../rules/outcome.ts';
import type { Ordering } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Entry } from '../streams/entry.ts';
import type { Pages } from '../streams/pages.ts';
import type { Ending } from './ending.ts';
import { createHeadTry } from './headTry.ts';
import { createHeadWait } from './headWait.ts';
import type { Recoveries } from './recoveries.ts';
import type { SenderConfig } from './senderConfig.ts';

/** How long the head waits after a fault of this machine, ms. */
const REST_MS = 1_000;

/** The parts of a drain that an outage of its endpoint concerns. */
export interface OutageOptions {
  consumerId: string;
  stream: StreamName;
  ordering: Ordering;
  pages: Pick<Pages, 'entryAt'>;
  slidingWindow: Pick<SlidingWindow<Entry>, 'unsettled' | 'open'>;
  dispatcher: Dispatcher<Outgoing>;
  limit: Pick<InFlightLimit, 'recover'>;
  pace: Pick<Pace, 'waitMs'>;
  parked: Pick<ParkedEntries, 'size'>;
  failures: Pick<FailureHandler, 'takeFailing'>;
  ending: Pick<Ending, 'reason' | 'begin'>;
  recoveries: Recoveries;
  /** The target that requests go to at first. */
  targetId: string;
  /** The head that the last sender has stored, if this one is to continue trying it; otherwise null. */
  head: StoredHead | null;
  /** How long after the first failure a sender makes the retries itself, ms. */
  ownRetriesMs: number;
  /** Unix ms, as Temporal counts. */
  nowMs: () => number;
  /** Whether requests may start at `now`, monotonic ms: the lease is in force, and outcomes are stored. */
  maySend: (now: number) => boolean;
  /** Whether everything in the stream has been read. */
  isCaughtUp: () => boolean;
  /** Called when there is something to store. */
  mark: () => void;
  /** Called when something is to be done by the next tick. */
  stir: () => void;
  log: Logger;
}

/**
 * The first part of an outage, in which the drain waits for its end: while the endpoint counts as failing, the
 * drain keeps its lease and sends nothing but the head, at the times of the schedule by which `deliver` would
 * try it. Each attempt is stored with the head and its next attempt. The first success ends the outage, and
 * sending continues with one request. When the next attempt is later than the time for which the sender retries
 * by itself, or another entry has to show whether the endpoint or the message is at fault, the drain ends as
 * `blocked`.
 */
export interface Outage {
  /** Whether the endpoint counts as failing. */
  readonly exists: boolean;
  /** Whether an entry of another record is looked for, with which `deliver` could find out what is at fault. */
  readonly seeksOther: boolean;
  /** Notes that the endpoint counts as failing. Nothing starts any more; `settle` continues from there. */
  begin(): void;
  /** Plans the next attempt once nothing is in flight; call it whenever a request has ended. */
  settle(): void;
  /** Whether a request may start; `alone`: no other one is open. */
  mayStart(alone: boolean): boolean;
  /** Notes that an entry whose turn had come was not sent, but settled. */
  skipped(): void;
  /** Notes that the head was delivered. */
  delivered(): void;
  /**
   * Notes that the attempt at the head says nothing about the endpoint: it met a fault of this machine, or the head was
   * parked because no body could be made of it.
   */
  untried(): void;
  /** Puts a newer configuration into force, by which the head may become due, or closed. */
  reconfigured(next: SenderConfig, before: SenderConfig): void;
  /** Does what is due at `now`, monotonic ms. */
  tick(now: number): void;
  /** Until when `tick` has nothing to do, monotonic ms; -Infinity: it has something to do. */
  readonly restsUntil: number;
  /** The head to be stored; null: nothing fails any more; undefined: nothing has changed since the last call. */
  toStore(): StoredHead | null | undefined;
  /**
   * Ends the outage with the drain; returns the failing head, which `toStore` hands over if it has changed;
   * null: none.
   */
  close(): StoredHead | null;
}

/**
 * `ending`: requests in flight end. `waiting`: the head waits for its next attempt. `trying`: it is being
 * tried, or looked up for that.
 */
type Phase = 'none' | 'ending' | 'waiting' | 'trying';

/** Creates the outage of one drain: there is none, unless the last sender has left one. */
export function createOutage(options: OutageOptions): Outage {
  const { dispatcher, slidingWindow, failures, ending, pace, nowMs } = options;
  let phase: Phase = 'none';
  let head: StoredHead | null = null;
  let changed = false;
  let doubtful = options.head !== null && !isOfEndpoint(options.head.failure); // whether a message may be at fault
  let edited = false; // the filter has changed since the last tick
  const headTry = createHeadTry(options);
  const wait = createHeadWait(options);
  if (options.head !== null) waitFor(options.head);

  function waitFor(next: StoredHead): void {
    head = next;
    phase = 'waiting';
    wait.begin(next, !doubtful && isUnreachable(next.failure));
  }

  function takeFailing(): { stays: boolean; slots: Outgoing[] } {
    const taken = failures.takeFailing(nowMs(), pace.waitMs(performance.now()), head);
    const { slots, head: failing } = taken;
    if (failing === null) return { stays: false, slots };
    head = failing;
    changed = true;
    options.mark();
    doubtful = taken.mayBeMessage;
    const isOwn = isOwnRetry(failing, options.ownRetriesMs);
    return { stays: isOwn && !needsDeliver(options, failing, doubtful), slots };
  }

  function settle(): void {
    if (phase !== 'ending' || dispatcher.inFlight > 0 || ending.reason !== null) return;
    const { stays, slots } = takeFailing();
    if (head === null) {
      end();
    } else if (stays) {
      dispatcher.putBackAll(slots);
      waitFor(head);
      options.stir();
    } else ending.begin('blocked');
  }

  /** Ends the outage; sending continues with one request. */
  function end(): void {
    phase = 'none';
    head = null;
    changed = true;
    wait.close();
    options.limit.recover();
    options.mark();
    options.stir();
  }

  function tick(now: number): void {
    if (phase === 'ending') settle();
    if (phase !== 'waiting') return;
    if (head !== null && needsDeliver(options, head, doubtful)) {
      ending.begin('blocked');
      return;
    }
    if (edited && options.isCaughtUp()) {
      edited = false;
      const isNothingLeft = slidingWindow.unsettled().every(({ closed }) => closed);
      if (isNothingLeft && !isAskedToWait(head, nowMs())) wait.hurry();
    }
    if (now >= wait.dueAt && options.maySend(now)) void tryHead();
  }

  async function tryHead(): Promise<void> {
    phase = 'trying';
    wait.end();
    await headTry.make(() => phase === 'trying' && ending.reason === null);
    if (dispatcher.inFlight > 0 || phase !== 'trying') return;
    if (slidingWindow.open === 0 && options.isCaughtUp()) end();
    else rest(0);
  }

  function rest(ms: number): void {
    phase = 'waiting';
    wait.rest(ms);
  }

  return {
    get exists() {
      return phase !== 'none';
    },
    get seeksOther() {
      return phase === 'waiting' && doubtful && options.ordering !== 'stream';
    },
    begin: () => {
      phase = 'ending';
    },
    settle,
    mayStart: (alone) => phase === 'trying' && headTry.mayStart && alone,
    skipped: headTry.skipped,
    delivered: () => {
      if (phase !== 'trying') return;
      wait.reached();
      end();
    },
    untried: () => {
      if (phase === 'trying') rest(REST_MS);
    },
    reconfigured: (next, before) => {
      if (next.filterVersion !== before.filterVersion) edited = true;
      const isTried = isOtherwise(next, before, head) || isRetargeted(next, before, head, nowMs());
      wait.aim(next.target.id);
      if (phase === 'none') return;
      if (isTried || next.retried !== before.retried) wait.hurry();
    },
    tick,
    get restsUntil() {
      return phase === 'waiting' && !edited ? wait.dueAt : -Infinity;
    },
    toStore: () => {
      if (!changed) return undefined;
      changed = false;
      return head;
    },
    close: () => {
      const { reason } = ending;
      const isBlamed = reason === 'blocked' || reason === 'gone';
      if (isBlamed || phase === 'ending') takeFailing();
      wait.close();
      return head;
    },
  };
}

/**
 * Whether `deliver` has to continue: it tries parked entries in turns with the head, and finds out what is at
 * fault.
 */
function needsDeliver(
  { parked, ordering, slidingWindow }: Pick<OutageOptions, 'parked' | 'ordering' | 'slidingWindow'>,
  head: StoredHead,
  doubtful: boolean,
): boolean {
  if (parked.size > 0) return true;
  return doubtful && ordering !== 'stream' && hasOther(slidingWindow.unsettled(), head.position);
}

/** Whether an entry of another record waits, with which `deliver` would find out whether the message is at fault. */
function hasOther(unsettled: Iterable<Slot<Entry>>, position: number): boolean {
  let record: string | null = null;
  for (const { position: at, closed, entry } of unsettled) {
    if (closed) continue;
    if (at === position) record ??= recordOf(entry);
    else if (record === null || recordOf(entry) !== record) return true;
  }
  return false;
}

function isAskedToWait(head: StoredHead | null, nowMs: number): boolean {
  return (head?.askedUntil ?? 0) > nowMs;
}

type Aim = Pick<SenderConfig, 'target' | 'body'>;

/** Whether the head goes to another address, or a body is made of it in another way where none could be made. */
function isOtherwise(next: Aim, before: Aim, head: StoredHead | null): boolean {
  const { target } = next;
  if (target.id !== before.target.id || target.baseUrl !== before.target.baseUrl) return true;
  return head !== null && isOfBody(head.failure) && !isSameBody(next.body, before.body);
}

function isRetargeted(next: Aim, before: Aim, head: StoredHead | null, nowMs: number): boolean {
  return next.target.version !== before.target.version && !isAskedToWait(head, nowMs);
}
