import { setTimeout as sleep } from 'node:timers/promises';

import { mayBeRepeated } from '../db/errors.ts';
import type { Message, OnAttemptEnd, WebhookSender } from '../egress/webhookSender.ts';
import type { ParkedEntries } from '../failure/parkedEntries.ts';
import { TIMES, type Shared } from '../flow/budget.ts';
import { createPace, type Pace } from '../flow/pace.ts';
import {
  deliveredAttempt,
  emptyBatch,
  failedAttempt,
  type EndedAttempt,
} from '../progress/attemptLog.ts';
import type { Committer } from '../progress/committer.ts';
import { LEASE_MARGIN_MS, type Lease, type Release } from '../progress/lease.ts';
import type { Progress } from '../progress/progress.ts';
import type { AttemptRow } from '../progress/senderOutcomes.ts';
import { storeUntilBack, type Patience } from '../progress/storeUntilBack.ts';
import type { LateAnswer, Outcome } from '../rules/outcome.ts';
import { WillPass } from '../rules/startFault.ts';
import type { SenderConfig } from './senderConfig.ts';

/** Time for the longest request (15 s) and 10 s for what surrounds it; each commit renews the lease. */
const LEASE_MS = 25_000;
/** The lease is renewed before a request that could last to within this time of its end. */
const SPARE_MS = 2_000;
/** How long storing is tried once the attempt has been cancelled. */
const KEEP_MS = 60_000;
/** The pause between two checks of the deadlines of a request and of the lease. */
const SWEEP_MS = 25;

/** Opens a sender for one webhook; it starts no request after `startBy` (monotonic ms). */
export type OpenSingle = (
  config: SenderConfig,
  onEnd: OnAttemptEnd<Message>,
  startBy: () => number,
  late?: (late: LateAnswer | null) => void,
) => WebhookSender<Message>;

/** What a single sender works with. */
export interface SingleSenderOptions {
  consumerId: string;
  /** Names this process in the cursor. */
  holder: string;
  progress: Pick<Progress, 'acquire' | 'commit' | 'release'>;
  /** Says when the process has to end, and collects the consumers whose outcomes were not stored by then. */
  committer: Pick<Committer, 'endsAt' | 'unstored'>;
  /** Counts the bytes of what is sent. */
  memory: Pick<Shared, 'take'>;
  openSingle: OpenSingle;
  /** Once it is aborted, nothing more is sent; outcomes of requests that were sent are still stored. */
  cancelled: AbortSignal;
}

/** An attempt that has ended, with its outcome. */
export interface Tried {
  ended: EndedAttempt;
  outcome: Outcome;
  /** The answer that may still come after a timeout; null after anything else. */
  overdue: Overdue | null;
}

/** An answer that may still come to a request that has timed out. */
export interface Overdue {
  /** Resolves with the answer, or with null when none comes or it is cut. */
  answer: Promise<LateAnswer | null>;
  /** Ends the request. */
  cut(): void;
}

/** A sender that makes one request at a time; it holds the lease and stores the outcomes. */
export interface SingleSender {
  /** The cursor as it was when the lease was taken. */
  readonly lease: Lease;
  /** Which entries are settled by now. */
  progress(): { position: number; ahead: number[] };
  /**
   * Waits until the target's rate limit lets a request start, and renews the lease if the request could outlast
   * it. False when the attempt was cancelled meanwhile.
   */
  mayStart(config: SenderConfig): Promise<boolean>;
  /** Milliseconds until the next request may start. */
  paceMs(): number;
  /**
   * Makes one attempt, right after `mayStart`; a fault of this machine is an outcome as well. No request
   * starts in the last moments of the lease or after `startBy`, which is called right before it would (monotonic
   * ms), and one that is open at the end of the lease is cut. A request that has timed out stays open, until the
   * next one starts or `cutOverdue`.
   */
  send(
    config: SenderConfig,
    message: Message,
    attempt: number,
    startBy: () => number,
  ): Promise<Tried>;
  /** Ends the request that has timed out, if there is one, unless `takeOverdue` has taken its answer. */
  cutOverdue(): void;
  /** Takes the answer that may still come; this sender then no longer cuts it. */
  takeOverdue(): Overdue | null;
  /** Notes an attempt; it is stored with the next `commit`. */
  note(config: SenderConfig, tried: Tried, nextAttemptAt: number | null): void;
  /** Notes that this position is settled. */
  settle(position: number): void;
  /**
   * Stores everything that was noted and settled, and renews the lease; waits while Postgres is away. Throws
   * when another sender has taken the cursor.
   */
  commit(parkedEntries: ParkedEntries | null): Promise<void>;
  /** Releases the lease; a `config` says which target was tried. */
  release(head: Release['head'], config: SenderConfig | null): Promise<void>;
}

/**
 * Takes the consumer's cursor, and waits out the lease of a previous sender that did not release it; null when
 * the consumer does not exist.
 */
export async function openSingleSender(options: SingleSenderOptions): Promise<SingleSender | null> {
  const { consumerId, progress, committer, cancelled } = options;
  let leaseUntil = performance.now() + LEASE_MS;
  const lease = await progress.acquire(consumerId, options.holder, LEASE_MS);
  if (lease === null) return null;
  const { epoch, waitMs, sendFrom } = lease;
  const settled = createSettled(lease);
  let attempts: AttemptRow[] = [];
  let pace: Pace | null = null; // once the rate is known
  let overdue: Overdue | null = null;

  async function mayStart({ target }: SenderConfig): Promise<boolean> {
    if (pace === null) pace = createPace(target.rateLimit, sendFrom);
    else pace.change(target.rateLimit);
    for (let ms = paceMs(); ms > 0 && !cancelled.aborted; ms = paceMs()) {
      await sleep(ms, undefined, { signal: cancelled }).catch((error: unknown) => {
        if (!cancelled.aborted) throw error; // cancelled: the caller releases the lease
      });
    }
    if (cancelled.aborted) return false;
    if (leaseUntil - performance.now() < target.timeoutMs + SPARE_MS) await commit(null);
    return true;
  }

  function paceMs(): number {
    return pace?.waitMs(performance.now()) ?? 0;
  }

  async function send(
    config: SenderConfig,
    message: Message,
    attempt: number,
    startBy: () => number,
  ): Promise<Tried> {
    cutOverdue();
    const endsAt = (): number => leaseUntil - LEASE_MARGIN_MS;
    const open: OpenOne = (onEnd, late) => {
      const earlier = (): number => Math.min(startBy(), endsAt());
      const sender = options.openSingle(config, onEnd, earlier, late);
      pace?.started(performance.now());
      return sender;
    };
    const bytes = TIMES * Buffer.byteLength(message.body);
    options.memory.take(bytes);
    try {
      const tried = await sendOne({ open, message, attempt, endsAt });
      ({ overdue } = tried);
      return tried;
    } finally {
      options.memory.take(-bytes);
    }
  }

  function cutOverdue(): void {
    takeOverdue()?.cut();
  }

  function takeOverdue(): Overdue | null {
    const taken = overdue;
    overdue = null;
    return taken;
  }

  function note({ stream }: SenderConfig, tried: Tried, nextAttemptAt: number | null): void {
    const { ended, outcome } = tried;
    if (outcome.kind === 'failed') {
      attempts.push(failedAttempt(stream, ended, outcome, nextAttemptAt));
    } else if (outcome.kind === 'delivered') {
      attempts.push(deliveredAttempt(stream, ended, outcome));
    }
  }

  async function commit(parkedEntries: ParkedEntries | null): Promise<void> {
    const parked = parkedEntries?.toStore() ?? null;
    const outcomes = { consumerId, epoch, ...settled.now(), batch: emptyBatch(), attempts, parked };
    attempts = [];
    try {
      const store = () => progress.commit([outcomes], LEASE_MS);
      const { answer, sentAt } = await storeUntilBack(store, patience());
      if (!answer.has(consumerId)) throw new WillPass('another sender has taken the cursor');
      parkedEntries?.committed();
      leaseUntil = sentAt + LEASE_MS;
    } catch (error) {
      const givenUp = mayBeRepeated(error) && performance.now() > committer.endsAt;
      if (givenUp) committer.unstored.add(consumerId);
      throw error;
    }
  }

  /** Keeps trying after the attempt was cancelled, because deliveries have to be stored. */
  function patience(): Patience {
    let cancelledAt = Infinity;
    return {
      repeats: mayBeRepeated,
      givesUp: (sentAt) => {
        if (cancelled.aborted) cancelledAt = Math.min(cancelledAt, sentAt);
        return sentAt > cancelledAt + KEEP_MS || sentAt > committer.endsAt;
      },
    };
  }

  async function release(head: Release['head'], config: SenderConfig | null): Promise<void> {
    const tried = config === null ? {} : { triedTarget: config.target };
    const paced = pace === null ? {} : { paceMs: paceMs() };
    await progress.release({ consumerId, epoch, idle: false, head, ...paced, ...tried });
  }

  if (waitMs > 0) {
    await sleep(waitMs);
    await commit(null);
  }
  return {
    lease,
    progress: settled.now,
    mayStart,
    paceMs,
    send,
    cutOverdue,
    takeOverdue,
    note,
    settle: settled.add,
    commit,
    release,
  };
}

/** Keeps which entries are settled, beginning with the cursor when the lease was taken. */
function createSettled(lease: Pick<Lease, 'position' | 'ahead'>): {
  add(position: number): void;
  now(): { position: number; ahead: number[] };
} {
  let { position } = lease;
  let ahead = new Set(lease.ahead);
  return {
    add: (settled) => {
      ahead.add(settled);
      while (ahead.has(position + 1)) position += 1;
      ahead = new Set([...ahead].filter((one) => one > position));
    },
    now: () => ({ position, ahead: [...ahead].sort((a, b) => a - b) }),
  };
}

type OpenOne = (
  onEnd: OnAttemptEnd<Message>,
  late: (late: LateAnswer | null) => void,
) => WebhookSender<Message>;

/** Sends one message. Its sender is closed when the attempt has ended, or once no late answer is awaited any more. */
async function sendOne(request: {
  open: OpenOne;
  message: Message;
  attempt: number;
  /** When it is cut, monotonic ms. */
  endsAt: () => number;
}): Promise<Tried> {
  const { message, attempt } = request;
  const { promise, resolve } = Promise.withResolvers<Omit<Tried, 'overdue'>>();
  const late = Promise.withResolvers<LateAnswer | null>();
  const sender = request.open(({ messageId }, outcome, startedAt, durationMs) => {
    const { position } = message;
    resolve({ ended: { position, messageId, attempt, startedAt, durationMs }, outcome });
  }, late.resolve);
  const sweep = setInterval(() => {
    const now = performance.now();
    sender.sweep(now);
    if (now > request.endsAt()) sender.cut();
  }, SWEEP_MS);
  let isOverdue = false;
  try {
    sender.send(message, attempt);
    const tried = await promise;
    isOverdue = isTimeout(tried.outcome);
    return { ...tried, overdue: isOverdue ? { answer: late.promise, cut } : null };
  } finally {
    clearInterval(sweep);
    if (isOverdue) void late.promise.then(() => sender.close());
    else await sender.close();
  }

  function cut(): void {
    sender.cut();
    late.resolve(null);
  }
}

/** Whether an answer may still come. */
function isTimeout(outcome: Outcome): boolean {
  return outcome.kind === 'failed' && outcome.code === 'TIMEOUT' && outcome.status === null;
}
