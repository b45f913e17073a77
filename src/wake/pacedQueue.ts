import type { Logger } from 'pino';

import { createCallPace } from './callPace.ts';
import { createFailureLog } from './failureLog.ts';

/** A call of Temporal that waits for its turn. */
export interface QueuedCall {
  /** Names what it does and to what: of one key, at most one call waits and at most one is under way. */
  key: string;
  /** It goes after those that are none, but every eighth turn is one for repetitions. */
  isRepetition: boolean;
  /**
   * Calls Temporal; settles within a time of its own, and rejects when Temporal did not take the call.
   * The queue does not repeat it: whoever puts it in knows whether it is still needed.
   */
  act: () => Promise<void>;
}

/**
 * The calls that a process makes of Temporal when it pleases: as many at a time as Temporal takes, and
 * fewer or none for a while when it does not. One queue a process, so that what is put in by different
 * parts (wakes, starts of workflows, hand-overs) shares one limit.
 */
export interface PacedQueue {
  /**
   * Has the call made in its turn. It takes the place of the one of its key that waits; one of its key
   * that is under way ends first.
   */
  put(call: QueuedCall): void;
  /** Whether a call of this key waits or is under way. */
  has(key: string): boolean;
  /** Takes out the calls that wait and whose keys these are. */
  drop(isOver: (key: string) => boolean): void;
  /** What it shows to metrics. */
  readonly reading: QueueReading;
  /** No call begins any more; resolves when none is under way. */
  close(): Promise<void>;
}

export interface QueueReading {
  /** How many calls may be under way. */
  limit: number;
  /** How many wait. */
  waiting: number;
  underWay: number;
  /** How many have failed since the process began. */
  failures: number;
}

export interface PacedQueueOptions {
  /** Whether an error is Temporal's answer to this one call, which says nothing of how busy Temporal is. */
  isRefusal: (error: unknown) => boolean;
  /** From 0 to 1; `Math.random` unless given. */
  random?: () => number;
  log: Pick<Logger, 'warn' | 'info'>;
}

/** One turn of so many is for a repetition while others wait, so that none waits for ever. */
const TURNS = 8;

/** Creates an empty queue. */
export function createPacedQueue(options: PacedQueueOptions): PacedQueue {
  const { isRefusal, random = Math.random } = options;
  const pace = createCallPace({ random });
  const first = new Map<string, QueuedCall>();
  const repetitions = new Map<string, QueuedCall>();
  const underWay = new Map<string, Promise<void>>();
  const waiting = (): number => first.size + repetitions.size;
  const failureLog = createFailureLog({ log: options.log, waiting });
  let passedOver = 0; // turns, one after another, in which a repetition had to wait
  let failures = 0;
  let isClosed = false;
  let pause: NodeJS.Timeout | undefined;

  function put(call: QueuedCall): void {
    if (isClosed) return;
    if (!call.isRepetition) repetitions.delete(call.key);
    const isFirst = !call.isRepetition || first.has(call.key);
    (isFirst ? first : repetitions).set(call.key, call);
    fill();
  }

  /** Begins as many calls as may be under way. */
  function fill(): void {
    clearTimeout(pause);
    while (!isClosed && pace.mayBegin(performance.now())) {
      const call = next();
      if (call === null) return;
      underWay.set(call.key, make(call));
    }
    const ms = pace.waitMs(performance.now());
    if (!isClosed && ms > 0 && waiting() > 0) pause = setTimeout(fill, Math.ceil(ms));
  }

  /** Takes out the call whose turn it is; null when none may be made now. */
  function next(): QueuedCall | null {
    const lanes = passedOver + 1 < TURNS ? [first, repetitions] : [repetitions, first];
    for (const lane of lanes) {
      for (const call of lane.values()) {
        if (underWay.has(call.key)) continue;
        lane.delete(call.key);
        passedOver = lane === first && repetitions.size > 0 ? passedOver + 1 : 0;
        return call;
      }
    }
    return null;
  }

  async function make({ key, act }: QueuedCall): Promise<void> {
    const paced = pace.begin(performance.now());
    try {
      await act();
      paced.answered(performance.now());
      failureLog.answered();
    } catch (error) {
      if (isRefusal(error)) paced.answered(performance.now());
      else paced.failed(performance.now());
      failures += 1;
      failureLog.failed(key, error);
    }
    underWay.delete(key);
    fill();
  }

  function drop(isOver: (key: string) => boolean): void {
    for (const lane of [first, repetitions]) {
      for (const key of lane.keys()) if (isOver(key)) lane.delete(key);
    }
  }

  async function close(): Promise<void> {
    isClosed = true;
    clearTimeout(pause);
    drop(() => true);
    await Promise.all(underWay.values());
    failureLog.close();
  }

  return {
    put,
    has: (key) => first.has(key) || repetitions.has(key) || underWay.has(key),
    drop,
    get reading() {
      return { limit: pace.limit, waiting: waiting(), underWay: underWay.size, failures };
    },
    close,
  };
}
