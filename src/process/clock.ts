import type { Logger } from 'pino';

import type { Sql } from '../db/db.ts';
import { noteClock } from './clockNotes.ts';
import { aheadText, keepReading, type ClockReading } from './clockReadings.ts';
import { createLoop } from './loop.ts';

/** A machine's clock that is off by more than this counts as wrong, ms. */
const OFF_MS = 5_000;
const MEASURE_EVERY_MS = 60_000;
const LOOK_EVERY_MS = 1_000;
/**
 * When the machine's clock and its monotonic clock differ by such a step, as after a resume, it is measured
 * immediately, ms.
 */
const STEP_MS = 500;
/** Round trips of one measurement; the shortest one counts. */
const ROUNDS = 5;

/** The time that signatures, expiries and plans use: that of Postgres, which all processes share. */
export interface Clock extends AsyncDisposable {
  /**
   * Unix time in whole ms. It follows the monotonic clock, so that a step of this machine's clock does not
   * show; until the first measurement it starts from this machine's clock.
   */
  now(): number;
  /** How far this machine's clock is ahead of that of Postgres, ms; null until it was measured. */
  readonly aheadMs: number | null;
  /** Measures now. Rejects while Postgres is away; the time then continues as it was last measured. */
  measure(): Promise<void>;
}

export interface ClockOptions {
  sql: Sql;
  /** The name of this process in logs and notes about its clock. */
  process: string;
  log: Pick<Logger, 'error' | 'info' | 'warn'>;
  /** This machine's clock, unix ms. */
  wallMs?: () => number;
}

/**
 * Starts the clock of a process, which measures how far this machine's clock is off, at least once a minute. A
 * machine that is off by more than 5 s is logged, and noted where the API and `doctor` can see it.
 */
export function startClock(options: ClockOptions): Clock {
  const { sql, log, wallMs = Date.now } = options;
  let baseMs = stepOf(wallMs);
  let measuredAt = -Infinity; // monotonic ms
  let stepMs = baseMs; // from which a step of the machine's clock can be seen
  let isOff = false;
  let isNoted = false;
  const loop = createLoop({
    turn: measure,
    failed: () => undefined, // Postgres is away, which other parts report; it is measured again in a second
  });
  const timer = setInterval(() => {
    const stepped = Math.abs(stepOf(wallMs) - stepMs) > STEP_MS;
    if (stepped || performance.now() - measuredAt > MEASURE_EVERY_MS) loop.ask();
  }, LOOK_EVERY_MS);
  timer.unref();

  function now(): number {
    return Math.round(baseMs + performance.now());
  }

  async function measure(): Promise<void> {
    const readings: ClockReading[] = [];
    for (let round = 0; round < ROUNDS; round += 1) readings.push(await read(sql));
    baseMs = keepReading(readings, measuredAt === -Infinity ? null : baseMs);
    measuredAt = performance.now();
    stepMs = stepOf(wallMs);
    await tell(stepMs - baseMs);
  }

  async function tell(aheadMs: number): Promise<void> {
    const wasOff = isOff;
    isOff = Math.abs(aheadMs) > OFF_MS;
    if (isOff !== wasOff) {
      const ahead = { ahead_ms: Math.round(aheadMs) };
      if (isOff) log.error(ahead, `the clock of this machine is ${aheadText(aheadMs)}`);
      else log.info(ahead, 'the clock of this machine is right again');
    }
    if (!isOff && !isNoted) return;
    try {
      await noteClock(sql, options.process, isOff ? Math.round(aheadMs) : null);
      isNoted = isOff;
    } catch (error) {
      log.warn({ err: error }, 'a wrong clock could not be stored in Postgres; trying again');
    }
  }

  async function close(): Promise<void> {
    clearInterval(timer);
    await loop.close();
    if (isNoted) await noteClock(sql, options.process, null).catch(() => undefined); // it is soon too old to count
  }

  return {
    now,
    get aheadMs() {
      return measuredAt === -Infinity ? null : stepOf(wallMs) - baseMs;
    },
    measure,
    [Symbol.asyncDispose]: close,
  };
}

/** The difference between a clock and the monotonic one, which stays the same until the clock is set. */
function stepOf(wallMs: () => number): number {
  return wallMs() - performance.now();
}

async function read(sql: Sql): Promise<ClockReading> {
  const askedAt = performance.now();
  const { rows } = await sql.query<{ ms: number }>({
    name: 'clock',
    text: 'select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms',
  });
  return { askedAt, answeredAt: performance.now(), theirMs: rows[0]!.ms };
}
