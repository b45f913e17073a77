import type { Logger } from 'pino';

import { createCallPace } from './callPace.ts';
import { createFailureLog } from './failureLog.ts';

/** A call to Temporal that waits for its turn. */
export interface QueuedCall {
  /**
   * Names what the call does and to which object: with one key, at most one call waits and at most one is in
   * progress.
   */
  key: string;
  /** A repetition goes after the other calls, but every eighth turn is for one. */
  isRepetition: boolean;
  /**
   * Calls Temporal; settles within a time limit of its own, and rejects when Temporal did not accept the call.
   * The queue does not repeat it, because only the part that put it in knows whether it is still needed.
   */
  act: () => Promise<void>;
}

/**
 * The calls to Temporal that a process makes at a time of its own choice: as many at a time as Temporal
 * accepts, and fewer or none for a while when it does not. There is one queue for each process, so that calls
 * of different parts (wakes, starts of workflows, hand-overs) share one limit.
 */
export interface PacedQueue {
  /**
   * Makes the call in its turn. It replaces the waiting call with the same key; a call with that key that is in
   * progress ends first.
   */
  put(call: QueuedCall): void;
  /** Whether a call with this key waits or is in progress. */
  has(key: string): boolean;
  /** Removes the waiting calls with these keys. */
  drop(isOver: (key: string) => boolean): void;
  /** Its figures for metrics. */
  readonly reading: QueueReading;
  /** No call begins any more; resolves when none is in progress. */
  close(): Promise<void>;
}

export interface QueueReading {
  /** How many calls may be in progress. */
  limit: number;
  /** How many calls wait. */
  waiting: number;
  underWay: number;
  /** How many have failed since the process began. */
  failures: number;
}

export interface PacedQueueOptions {
  /** Whether an error is Temporal's answer to this one call, which does not mean that Temporal is busy. */
  isRefusal: (error: unknown) => boolean;
  /** From 0 to 1; `Math.random` unless given. */
  random?: () => number;
  log: Pick<Logger, 'warn' | 'info'>;
}

/** One turn in so many is for a repetition while others wait, so that none waits for ever. */
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
  let passedOver = 0; // how many turns in a row a repetition has had to wait
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

  /** Begins as many calls as may be in progress. */
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

  /** Removes and returns the call whose turn it is; null when none may be made now. */
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
