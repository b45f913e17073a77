import type { Drain } from '../delivery/drainContext.ts';
import type { StreamName } from '../schema/stream.ts';
import { isBusy } from './busyness.ts';

/** The senders of a lane, each named by a key. */
export interface Visiting {
  add(key: string, drain: Drain, stream: StreamName): void;
  remove(key: string): void;
  /** Notes that one no longer rests. */
  stir(key: string): void;
  /**
   * Does what is due, for some hundreds of those that do not rest, in turns; with `isAll` for each of them. Returns
   * those whose consumers stay busy, and so are worth a drain of their own.
   */
  tick(now: number, isAll?: boolean): string[];
  /** Ends senders: all of them, so that other lanes may claim; or of those that stay busy, one. */
  yieldAll(): void;
  yieldOne(key: string): void;
  /** Ends those that have been quiet for longest, up to `count`; returns how many. */
  endQuietest(count: number): number;
  /** Ends some whose endpoints fail, up to `count`: their drains are to go on. */
  endFailing(count: number): void;
  /** Up to where everything of a stream is settled for those that do not rest; Infinity when all rest. */
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

/** Nearly all senders rest. So often it is looked up which of them have something to do again, ms. */
const LOOK_MS = 1_000;
/**
 * So many consumers whose endpoints fail have their turn in a tick: what broke for thousands at the same time is
 * not tried for all of them in the same moment.
 */
const TRIES_A_TICK = 100;
/**
 * So many have their turn in a tick, or this part of them if that is more. When thousands have something to send,
 * looking after all of them each time would take the time in which they are served. Each has its turn within 20
 * ticks, a second, so that a request is given up at most that late.
 */
const TURNS_A_TICK = 250;
const LEAST_PART = 1 / 20;

/** Whether a drain sits out an outage, and the time of its next attempt has come. */
function isDueAgain({ isFailing, restsUntil }: Drain, now: number): boolean {
  return isFailing && Number.isFinite(restsUntil) && now >= restsUntil;
}

/** Creates an empty set. */
export function createVisiting(): Visiting {
  const visits = new Map<string, Visit>();
  const awake = new Set<string>();
  const due = new Set<string>(); // those that sit out an outage, whose next attempts are due
  let lookAt = 0;

  function tick(now: number, isAll = false): string[] {
    if (now >= lookAt) look(now);
    const busy: string[] = [];
    tryAgain(now, busy);
    let turns = isAll ? Infinity : Math.max(TURNS_A_TICK, awake.size * LEAST_PART);
    let left = awake.size;
    for (const key of awake) {
      if (left-- <= 0 || turns <= 0) break;
      awake.delete(key); // those that go on stand behind the others
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

  /** Has some of those try again whose next attempts are due. */
  function tryAgain(now: number, busy: string[]): void {
    let tries = TRIES_A_TICK;
    for (const key of due) {
      if (tries <= 0) return;
      due.delete(key);
      const visit = visits.get(key);
      if (visit === undefined || !isDueAgain(visit.drain, now)) continue; // it is looked up again soon
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
      if (visits.has(key)) awake.add(key); // one that has ended is stirred by what it had begun to read
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
