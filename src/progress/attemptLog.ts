import type { Failed } from '../rules/outcome.ts';
import { nextDelayMs, parseRetryAfter } from '../rules/retry.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Release } from './lease.ts';
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
  /** Unix ms, as the next one. */
  nextAttemptAt: number;
  /** Until when the endpoint asked to wait; null: it did not. */
  askedUntil: number | null;
  outcome: Failed;
  startedAt: number;
}

/** What a delivery has seen and not yet handed to the committer. */
export interface AttemptLog {
  delivered(made: EndedAttempt, status: number): void;
  /** A failed attempt after which sending goes on; unix ms of the next one, if that is planned. */
  failed(made: EndedAttempt, outcome: Failed, nextAttemptAt: number | null): void;
  /** One that ends the sending: handed over (unless it was) when the next attempt has been planned. */
  failing(made: EndedAttempt, outcome: Failed, handedOver?: boolean): void;
  /** What came since the last call: first-attempt successes as columns, the rest as rows. */
  toStore(): { batch: Batch; attempts: AttemptRow[] };
  /**
   * Of several failing entries the lowest is the head; its next attempt is planned from here, no
   * earlier than any of them was asked to wait for, nor than `paceMs` from now (unix ms).
   */
  failingHead(now: number, paceMs: number): FailingHead | null;
}

export function createAttemptLog(stream: StreamName, retryWindowMs: number): AttemptLog {
  const failures: { attempt: AttemptRow; outcome: Failed; handedOver: boolean }[] = [];
  let batch = emptyBatch();
  let rows: AttemptRow[] = [];

  function delivered(made: EndedAttempt, status: number): void {
    if (made.attempt > 1) {
      rows.push({ ...toAttempt(stream, made), outcome: 'delivered', status });
      return;
    }
    batch.positions.push(made.position);
    batch.startedAt.push(made.startedAt);
    batch.durationMs.push(made.durationMs);
    batch.status.push(status);
  }

  function failingHead(now: number, paceMs: number): FailingHead | null {
    failures.sort((a, b) => a.attempt.position - b.attempt.position);
    for (const { attempt, handedOver } of failures) if (!handedOver) rows.push(attempt);
    const head = failures.find(({ outcome }) => outcome.code === 'GONE') ?? failures[0];
    if (head === undefined) return null;
    const { attempt, outcome } = head;
    const asked = longestAsked(now);
    const delay = nextDelayMs({
      attempt: 1, // an episode begins, however often this entry was tried in earlier ones
      remainingMs: retryWindowMs,
      windowMs: retryWindowMs,
      retryAfterMs: asked,
      random: Math.random(),
      leastMs: paceMs,
    });
    attempt.nextAttemptAt = now + (delay ?? 1);
    const { position, nextAttemptAt, startedAt } = attempt;
    const askedUntil = asked === null ? null : nextAttemptAt;
    return { position, attempt: attempt.attempt, nextAttemptAt, askedUntil, outcome, startedAt };
  }

  /** Retry-After holds for the whole consumer, whichever entry was answered with it. */
  function longestAsked(now: number): number | null {
    let longest: number | null = null;
    for (const { outcome } of failures) {
      const asked = parseRetryAfter(outcome.retryAfter, now);
      if (asked !== null) longest = Math.max(longest ?? 0, asked);
    }
    return longest;
  }

  function toStore(): { batch: Batch; attempts: AttemptRow[] } {
    const taken = { batch, attempts: rows };
    batch = emptyBatch();
    rows = [];
    return taken;
  }

  return {
    delivered,
    failed: (made, outcome, nextAttemptAt) => {
      rows.push(failedAttempt(stream, made, outcome, nextAttemptAt));
    },
    failing: (made, outcome, handedOver = false) => {
      failures.push({ attempt: failedAttempt(stream, made, outcome, null), outcome, handedOver });
    },
    toStore,
    failingHead,
  };
}

/** The row of a failed attempt. */
export function failedAttempt(
  stream: StreamName,
  made: EndedAttempt,
  outcome: Failed,
  nextAttemptAt: number | null,
): AttemptRow {
  const { status, code, responseHead } = outcome;
  return { ...toAttempt(stream, made), status, errorCode: code, responseHead, nextAttemptAt };
}

/** The row of an attempt, as failed for no known reason: what differs is set by the caller. */
export function toAttempt(stream: StreamName, made: EndedAttempt): AttemptRow {
  const { position, messageId, attempt, startedAt, durationMs } = made;
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

/** What the cursor keeps of a failing head. */
export function toRelease(head: FailingHead): Exclude<Release['head'], 'keep' | null> {
  const { code, status, detail } = head.outcome;
  const at = new Date(head.startedAt).toISOString();
  const { position, attempt, nextAttemptAt, askedUntil } = head;
  const failure = { code, status, detail, at };
  return { position, attempt, tries: 1, nextAttemptAt, askedUntil, failure };
}

export function emptyBatch(): Batch {
  return { positions: [], startedAt: [], durationMs: [], status: [] };
}
