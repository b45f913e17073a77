import {
  longestRetryAfter,
  NO_NEXT_ATTEMPT,
  planHead,
  storedFailure,
  type HeadPlanRequest,
} from '../rules/headPlan.ts';
import type { Delivered, Failed } from '../rules/outcome.ts';
import type { StreamName } from '../schema/stream.ts';
import type { StoredHead } from './lease.ts';
import type { AttemptRow, Batch } from './senderOutcomes.ts';

/** One attempt that has ended; `startedAt` is unix ms. */
export interface EndedAttempt {
  position: number;
  messageId: string;
  attempt: number;
  startedAt: number;
  durationMs: number;
  /** The request of several entries that it was, if it was one. */
  sentWith?: SentWith;
}

/** A request of several entries. */
export interface SentWith {
  /** Its `webhook-id`. */
  id: string;
  /** How many entries it carried. */
  size: number;
}

/** The data by which the next attempt of a head is planned that has failed before. */
export type HeadSchedule = Pick<StoredHead, 'tries' | 'scheduleFrom' | 'scheduleAgainFrom'>;

/** The attempts of a drain that have not been handed to the committer yet. */
export interface AttemptLog {
  /** Logs a success. */
  delivered(ended: EndedAttempt, outcome: Delivered): void;
  /** Logs a failure after which sending continues; `nextAttemptAt` is unix ms, null: none is planned. */
  failed(ended: EndedAttempt, outcome: Failed, nextAttemptAt: number | null): void;
  /** Logs a failure of the endpoint; unless it was handed over before, `failingHead` adds it to the rows. */
  failing(ended: EndedAttempt, outcome: Failed, handedOver?: boolean): void;
  /** What has been logged since the last call: untraced successes of first attempts as columns, the rest as rows. */
  toStore(): { batch: Batch; attempts: AttemptRow[] };
  /**
   * The head among the entries that were logged as failing since the last call: one that was answered 410, or
   * else the lowest. Its next attempt is planned from `now` (unix ms), not before the end of any wait that the
   * endpoint has asked for, nor within `paceMs`. The schedule continues from `before`; null: it begins. After a
   * 410 no attempt is planned. Null when no entry fails.
   */
  failingHead(now: number, paceMs: number, before: HeadSchedule | null): StoredHead | null;
}

/** The data by which the attempts of a drain are logged and planned. */
export interface AttemptLogOptions {
  stream: StreamName;
  retryWindowMs: number;
  /** Unix ms by the clock of Postgres. */
  now: () => number;
  /** The factor by which the consumer's schedule is stretched, from `stretchOf`. */
  stretch: number;
}

/** Creates an empty log. */
export function createAttemptLog(options: AttemptLogOptions): AttemptLog {
  const { stream, retryWindowMs, stretch } = options;
  const failures: { attempt: AttemptRow; outcome: Failed; handedOver: boolean }[] = [];
  let batch = emptyBatch();
  let rows: AttemptRow[] = [];

  function delivered(ended: EndedAttempt, outcome: Delivered): void {
    if (ended.attempt > 1 || outcome.trace !== undefined) {
      rows.push(deliveredAttempt(stream, ended, outcome));
      return;
    }
    if (ended.sentWith !== undefined) noteRequest(batch, ended.sentWith);
    addSuccess(batch, ended.position, ended.startedAt, ended.durationMs, outcome.status);
  }

  function failingHead(
    now: number,
    paceMs: number,
    before: HeadSchedule | null,
  ): StoredHead | null {
    const failing = failures.splice(0);
    failing.sort((a, b) => a.attempt.position - b.attempt.position);
    for (const { attempt, handedOver } of failing) if (!handedOver) rows.push(attempt);
    const head = failing.find(({ outcome }) => outcome.code === 'GONE') ?? failing[0];
    if (head === undefined) return null;
    const { attempt, outcome } = head;
    const scheduleFrom = before?.scheduleFrom ?? now; // however often this entry was tried before
    const scheduleAgainFrom = before?.scheduleAgainFrom ?? null;
    const outcomes = failing.map((one) => one.outcome);
    const request: HeadPlanRequest = {
      failingMs: now - scheduleFrom,
      sinceAskedMs: scheduleAgainFrom === null ? null : now - scheduleAgainFrom,
      nowMs: now,
      remainingMs: retryWindowMs - (now - scheduleFrom),
      windowMs: retryWindowMs,
      askedMs: longestRetryAfter(outcomes, options.now()),
      stretch,
      leastMs: paceMs,
    };
    const isGone = outcome.code === 'GONE';
    const { nextAttemptAt, askedUntil } = isGone ? NO_NEXT_ATTEMPT : planHead(request);
    attempt.nextAttemptAt = nextAttemptAt;
    return {
      position: attempt.position,
      attempt: attempt.attempt,
      tries: (before?.tries ?? 0) + 1,
      nextAttemptAt,
      askedUntil,
      scheduleFrom,
      scheduleAgainFrom: askedUntil ?? scheduleAgainFrom,
      failure: storedFailure(outcome, attempt.startedAt),
    };
  }

  function toStore(): { batch: Batch; attempts: AttemptRow[] } {
    const taken = { batch, attempts: rows };
    batch = emptyBatch();
    rows = [];
    return taken;
  }

  return {
    delivered,
    failed: (ended, outcome, nextAttemptAt) => {
      rows.push(failedAttempt(stream, ended, outcome, nextAttemptAt));
    },
    failing: (ended, outcome, handedOver = false) => {
      failures.push({ attempt: failedAttempt(stream, ended, outcome, null), outcome, handedOver });
    },
    toStore,
    failingHead,
  };
}

/** The row of a failed attempt. */
export function failedAttempt(
  stream: StreamName,
  ended: EndedAttempt,
  outcome: Failed,
  nextAttemptAt: number | null,
): AttemptRow {
  const { status, code: errorCode, responseHead } = outcome;
  const trace = outcome.trace ?? null;
  return { ...toAttempt(stream, ended), status, errorCode, responseHead, nextAttemptAt, trace };
}

/** The row of a successful attempt. */
export function deliveredAttempt(
  stream: StreamName,
  ended: EndedAttempt,
  { status, responseHead, trace }: Delivered,
): AttemptRow {
  const of = { status, responseHead, trace: trace ?? null };
  return { ...toAttempt(stream, ended), outcome: 'delivered', ...of };
}

/** The row of an attempt, as failed without a reason; the caller sets the fields that differ. */
function toAttempt(stream: StreamName, ended: EndedAttempt): AttemptRow {
  const { position, messageId, attempt, startedAt, durationMs, sentWith } = ended;
  return {
    position,
    messageId: sentWith?.id ?? messageId,
    eventId: stream === 'events' ? messageId : null,
    ...(sentWith === undefined ? {} : { batchSize: sentWith.size }),
    attempt,
    startedAt,
    durationMs,
    outcome: 'failed',
    status: null,
    errorCode: null,
    responseHead: null,
    nextAttemptAt: null,
    trace: null,
  };
}

/** Adds the success of a first attempt, which started at `startedAt` (unix ms). */
export function addSuccess(
  batch: Batch,
  position: number,
  startedAt: number,
  durationMs: number,
  status: number,
): void {
  batch.positions.push(position);
  batch.startedAt.push(startedAt);
  batch.durationMs.push(durationMs);
  batch.status.push(status);
}

/** Notes the request of several entries with which the success came that is added next. */
function noteRequest(batch: Batch, { id, size }: SentWith): void {
  const { positions } = batch;
  const requests = (batch.requests ??= []);
  const last = requests.at(-1);
  if (last?.id === id && last.from + last.count === positions.length) last.count += 1;
  else requests.push({ from: positions.length, count: 1, size, id });
}

/** A batch without attempts. */
export function emptyBatch(): Batch {
  return { positions: [], startedAt: [], durationMs: [], status: [] };
}
