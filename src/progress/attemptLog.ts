import { longestRetryAfter, planHead, storedFailure } from '../rules/headPlan.ts';
import type { Failed } from '../rules/outcome.ts';
import type { StreamName } from '../schema/stream.ts';
import type { StoredHead } from './lease.ts';
import type { AttemptRow, Batch } from './senderOutcomes.ts';

/** One attempt that has ended. Times in unix ms and ms. */
export interface EndedAttempt {
  position: number;
  messageId: string;
  attempt: number;
  startedAt: number;
  durationMs: number;
}

export interface FailingHead {
  position: number;
  attempt: number;
  /** Unix ms, as the next one; null: none is planned. */
  nextAttemptAt: number | null;
  /** Until when the endpoint asked to wait; null: it did not. */
  askedUntil: number | null;
  outcome: Failed;
  startedAt: number;
}

/** What a delivery has seen and not yet handed to the committer. */
export interface AttemptLog {
  delivered(ended: EndedAttempt, status: number): void;
  /** A failed attempt after which sending goes on; unix ms of the next one, if that is planned. */
  failed(ended: EndedAttempt, outcome: Failed, nextAttemptAt: number | null): void;
  /** One that ends the sending: handed over (unless it was) when the next attempt has been planned. */
  failing(ended: EndedAttempt, outcome: Failed, handedOver?: boolean): void;
  /** What came since the last call: first-attempt successes as columns, the rest as rows. */
  toStore(): { batch: Batch; attempts: AttemptRow[] };
  /**
   * The lowest of several failing entries is the head, or one that was answered 410. Its next
   * attempt is planned from `now` (unix ms), no earlier than any of them was asked to wait for, nor
   * than in `paceMs`. Null: none fails.
   */
  failingHead(now: number, paceMs: number): FailingHead | null;
}

export function createAttemptLog(stream: StreamName, retryWindowMs: number): AttemptLog {
  const failures: { attempt: AttemptRow; outcome: Failed; handedOver: boolean }[] = [];
  let batch = emptyBatch();
  let rows: AttemptRow[] = [];

  function delivered(ended: EndedAttempt, status: number): void {
    if (ended.attempt > 1) {
      rows.push({ ...toAttempt(stream, ended), outcome: 'delivered', status });
      return;
    }
    batch.positions.push(ended.position);
    batch.startedAt.push(ended.startedAt);
    batch.durationMs.push(ended.durationMs);
    batch.status.push(status);
  }

  function failingHead(now: number, paceMs: number): FailingHead | null {
    failures.sort((a, b) => a.attempt.position - b.attempt.position);
    for (const { attempt, handedOver } of failures) if (!handedOver) rows.push(attempt);
    const head = failures.find(({ outcome }) => outcome.code === 'GONE') ?? failures[0];
    if (head === undefined) return null;
    const outcomes = failures.map((one) => one.outcome);
    const { nextAttemptAt, askedUntil } = planHead({
      attempt: 1, // an episode begins, however often this entry was tried in earlier ones
      nowMs: now,
      remainingMs: retryWindowMs,
      windowMs: retryWindowMs,
      askedMs: longestRetryAfter(outcomes, now),
      random: Math.random(),
      leastMs: paceMs,
    });
    const { attempt, outcome } = head;
    attempt.nextAttemptAt = nextAttemptAt;
    const { position, startedAt } = attempt;
    return { position, attempt: attempt.attempt, nextAttemptAt, askedUntil, outcome, startedAt };
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
  const { status, code, responseHead } = outcome;
  return { ...toAttempt(stream, ended), status, errorCode: code, responseHead, nextAttemptAt };
}

/** The row of an attempt, as failed for no known reason: what differs is set by the caller. */
export function toAttempt(stream: StreamName, ended: EndedAttempt): AttemptRow {
  const { position, messageId, attempt, startedAt, durationMs } = ended;
  return {
    position,
    messageId,
    eventId: stream === 'events' ? messageId : null,
    attempt,
    startedAt,
    durationMs,
    outcome: 'failed',
    status: null,
    errorCode: null,
    responseHead: null,
    nextAttemptAt: null,
  };
}

/** What the cursor keeps of the head that a drain ended with: it is the first failure of its episode. */
export function toRelease(head: FailingHead): StoredHead {
  const { position, attempt, nextAttemptAt, askedUntil, outcome, startedAt } = head;
  const failure = storedFailure(outcome, startedAt);
  return { position, attempt, tries: 1, nextAttemptAt, askedUntil, failure };
}

export function emptyBatch(): Batch {
  return { positions: [], startedAt: [], durationMs: [], status: [] };
}
