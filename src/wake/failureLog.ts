import type { Logger } from 'pino';

/** Logs that calls to Temporal fail: once when that begins and once when it is over, however many calls fail. */
export interface FailureLog {
  failed(key: string, error: unknown): void;
  answered(): void;
  /** Logs what has not been logged yet. */
  close(): void;
}

export interface FailureLogOptions {
  /** How many calls wait. */
  waiting: () => number;
  log: Pick<Logger, 'warn' | 'info'>;
}

/** How long failures are counted before the first line, ms. */
const GATHER_MS = 1_000;
/** It counts as over when nothing has failed for so long after an answer, ms. */
const OVER_MS = 5_000;

/** A series of failures, from the first one on. */
interface Trouble {
  key: string;
  error: unknown;
  since: number;
  failed: number;
  /** The timer of the line that says that it begins; null once it is written. */
  begins: NodeJS.Timeout | null;
  /** The timer of the line that says that it is over; null while nothing has been answered since the last failure. */
  ends: NodeJS.Timeout | null;
}

/** Creates the log; no call fails yet. */
export function createFailureLog({ waiting, log }: FailureLogOptions): FailureLog {
  let trouble: Trouble | null = null;

  function failed(key: string, error: unknown): void {
    trouble ??= {
      key,
      error,
      since: performance.now(),
      failed: 0,
      begins: setTimeout(begin, GATHER_MS),
      ends: null,
    };
    trouble.failed += 1;
    if (trouble.ends !== null) clearTimeout(trouble.ends);
    trouble.ends = null;
  }

  function answered(): void {
    if (trouble !== null) trouble.ends ??= setTimeout(end, OVER_MS);
  }

  function begin(): void {
    if (trouble === null) return;
    trouble.begins = null;
    const { key, error, failed } = trouble;
    log.warn(
      { err: error, call: key, failed, waiting: waiting() },
      'calls to Temporal fail; they are repeated as fast as Temporal accepts them',
    );
  }

  function end(): void {
    if (trouble === null) return;
    const seconds = Math.round((performance.now() - trouble.since) / 1_000);
    log.info({ failed: trouble.failed, seconds }, 'Temporal accepts calls again');
    trouble = null;
  }

  function close(): void {
    if (trouble === null) return;
    if (trouble.ends !== null) clearTimeout(trouble.ends);
    if (trouble.begins === null) return;
    clearTimeout(trouble.begins);
    begin();
  }

  return { failed, answered, close };
}
