import type { Drain } from '../delivery/drainContext.ts';
import type { StreamName } from '../schema/stream.ts';
import { isBusy } from './busyness.ts';

/** The senders of a lane, each named by a key. */
export interface Visiting {
  add(key: string, drain: Drain, stream: StreamName): void;
  remove(key: string): void;
  /** Notes that a sender no longer rests. */
  stir(key: string): void;
  /**
   * Does what is due, for some hundreds of the senders that do not rest, in turns; with `isAll` for each of
   * them. Returns the keys of those whose consumers stay busy, and should get a drain of their own.
   */
  tick(now: number, isAll?: boolean): string[];
  /** Ends all senders, so that other lanes may claim their consumers, or the one of a consumer that stays busy. */
  yieldAll(): void;
  yieldOne(key: string): void;
  /** Ends the senders that have been quiet for longest, up to `count`; returns how many. */
  endQuietest(count: number): number;
  /** Ends up to `count` senders whose endpoints fail: drains of their own are to continue. */
  endFailing(count: number): void;
  /**
   * The position up to which everything of a stream is settled for the senders that do not rest; Infinity when
   * all rest.
   */
  settledTo(stream: StreamName): number;
  readonly size: number;
}

interface Visit {
  drain: Drain;
  stream: StreamName;
  /** Since when its sender has not been quiet, monotonic ms, and how much had settled by then. */
  busySince: number | null;
  settledBefore: number;
}

/** Nearly all senders rest. How often it is checked which of them have something to do again, ms. */
const LOOK_MS = 1_000;
/**
 * At most so many consumers whose endpoints fail get their turn in a tick, so that after an outage of thousands
 * they are not all tried at the same moment.
 */
const TRIES_A_TICK = 100;
/**
 * So many senders get their turn in a tick, or this part of them if that is more. When thousands have something
 * to send, looking after all of them each time would take the time that sending needs. Each has its turn within
 * 20 ticks, a second, so that a request is given up at most that late.
 */
const TURNS_A_TICK = 250;
const LEAST_PART = 1 / 20;

/** Whether a drain waits for the end of an outage, and its next attempt is due. */
function isDueAgain({ isFailing, restsUntil }: Drain, now: number): boolean {
  return isFailing && Number.isFinite(restsUntil) && now >= restsUntil;
}

/** Creates an empty set. */
export function createVisiting(): Visiting {
  const visits = new Map<string, Visit>();
  const awake = new Set<string>();
  const due = new Set<string>(); // those that wait for the end of an outage and whose next attempts are due
  let lookAt = 0;

  function tick(now: number, isAll = false): string[] {
    if (now >= lookAt) look(now);
    const busy: string[] = [];
    tryAgain(now, busy);
    let turns = isAll ? Infinity : Math.max(TURNS_A_TICK, awake.size * LEAST_PART);
    let left = awake.size;
    for (const key of awake) {
      if (left-- <= 0 || turns <= 0) break;
      awake.delete(key); // those that continue go behind the others
      const visit = visits.get(key);
      if (visit === undefined) continue;
      if (isDueAgain(visit.drain, now)) {
        due.add(key);
        continue;
      }
      turns -= 1;
      tickOne(key, visit, now, busy);
    }
    return busy;
  }

  /** Lets some of the senders try again whose next attempts are due. */
  function tryAgain(now: number, busy: string[]): void {
    let tries = TRIES_A_TICK;
    for (const key of due) {
      if (tries <= 0) return;
      due.delete(key);
      const visit = visits.get(key);
      if (visit === undefined || !isDueAgain(visit.drain, now)) continue; // it is checked again soon
      tries -= 1;
      awake.delete(key);
      tickOne(key, visit, now, busy);
    }
  }

  function tickOne(key: string, visit: Visit, now: number, busy: string[]): void {
    visit.drain.tick(now);
    if (staysBusy(visit, now)) busy.push(key);
    if (now >= visit.drain.restsUntil && visits.has(key)) awake.add(key);
  }

  function look(now: number): void {
    lookAt = now + LOOK_MS;
    for (const [key, { drain }] of visits) {
      if (now < drain.restsUntil) continue;
      if (isDueAgain(drain, now)) due.add(key);
      else awake.add(key);
    }
  }

  function staysBusy(visit: Visit, now: number): boolean {
    const { drain } = visit;
    if (drain.quietSince !== null || drain.isFailing) {
      visit.busySince = null;
      return false;
    }
    if (visit.busySince === null) {
      visit.busySince = now;
      visit.settledBefore = drain.settledCount;
    }
    const settled = drain.settledCount - visit.settledBefore;
    return isBusy({ settled, busyMs: now - visit.busySince });
  }

  function settledTo(stream: StreamName): number {
    let least = Infinity;
    for (const key of awake) {
      const visit = visits.get(key);
      if (visit?.stream === stream) least = Math.min(least, visit.drain.position);
    }
    return least;
  }

  function endQuietest(count: number): number {
    const quiet: { drain: Drain; since: number }[] = [];
    for (const { drain } of visits.values()) {
      if (drain.quietSince !== null) quiet.push({ drain, since: drain.quietSince });
    }
    quiet.sort((a, b) => a.since - b.since);
    const ended = quiet.slice(0, count);
    for (const { drain } of ended) drain.stop('idle');
    return ended.length;
  }

  function endFailing(count: number): void {
    let left = count;
    for (const { drain } of visits.values()) {
      if (left <= 0) return;
      if (!drain.isFailing) continue;
      drain.stop('blocked');
      left -= 1;
    }
  }

  return {
    add: (key, drain, stream) => {
      visits.set(key, { drain, stream, busySince: performance.now(), settledBefore: 0 });
      awake.add(key);
    },
    remove: (key) => {
      visits.delete(key);
      awake.delete(key);
      due.delete(key);
    },
    stir: (key) => {
      if (visits.has(key)) awake.add(key); // an ended sender gets the page that it had begun to read
    },
    tick,
    yieldAll: () => {
      for (const { drain } of visits.values()) drain.stop('yielded');
    },
    yieldOne: (key) => visits.get(key)?.drain.stop('yielded'),
    endQuietest,
    endFailing,
    settledTo,
    get size() {
      return visits.size;
    },
  };
}
