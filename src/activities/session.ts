import { setTimeout as sleep } from 'node:timers/promises';

import { Context } from '@temporalio/activity';

import { isDatabaseAway } from '../db/errors.ts';
import type { DrainContext } from '../delivery/drainContext.ts';
import type { SenderConfig } from '../delivery/senderConfig.ts';
import type { OnAttemptEnd, Message, WebhookSender } from '../egress/webhookSender.ts';
import type { ParkedEntries } from '../failure/parkedEntries.ts';
import { createPace, type Pace } from '../flow/pace.ts';
import { emptyBatch, failedAttempt, toAttempt, type EndedAttempt } from '../progress/attemptLog.ts';
import { LEASE_MARGIN_MS, type Lease, type Release } from '../progress/lease.ts';
import type { AttemptRow } from '../progress/senderOutcomes.ts';
import type { Outcome } from '../rules/outcome.ts';
import type { HeadReport } from './contract.ts';

/** The longest request (15 s) and 10 s for what surrounds it; each commit renews it. */
const LEASE_MS = 25_000;
/** A request that would outlast what is left of the lease, with this much to spare, renews it first. */
const MARGIN_MS = 2_000;
/** How long outcomes are still tried to be stored once the activity has been given up. */
const KEEP_MS = 60_000;

export interface DeliverDeps {
  shared: DrainContext;
  holder: string;
  openSingle: (
    config: SenderConfig,
    ended: OnAttemptEnd<Message>,
    startBy: () => number,
  ) => WebhookSender<Message>;
  /** Tells the consumer's workflow how an attempt ended, for people who look at it. */
  reportHead: (consumerId: string, failing: HeadReport) => Promise<void>;
}

export interface Tried {
  made: EndedAttempt;
  outcome: Outcome;
}

/** A sender that makes one attempt at a time: it holds the lease and stores what came of each. */
export interface SingleSender {
  /** As it was taken. */
  readonly lease: Lease;
  /** What is settled by now. */
  progress(): { position: number; ahead: number[] };
  /**
   * Waits until the target's rate lets a request start, and renews a lease that it could outlast.
   * False: the activity was cancelled meanwhile.
   */
  mayStart(config: SenderConfig): Promise<boolean>;
  /** Until the next request may start, ms. */
  paceMs(): number;
  /**
   * One attempt, right after `mayStart`; our own trouble is an outcome too. No request starts after the lease's deadline, and
   * one that is open then is cut. Throws when another sender has taken the cursor.
   */
  send(config: SenderConfig, message: Message, attempt: number): Promise<Tried>;
  /** Notes an attempt; it is stored with the next `commit`. */
  note(config: SenderConfig, tried: Tried, nextAttemptAt: number | null): void;
  /** This position is settled. */
  settle(settled: number): void;
  /** Stores what was noted and settled, and renews the lease; waits while Postgres is away. */
  commit(parking: ParkedEntries | null): Promise<void>;
  release(head: Release['head'], config: SenderConfig | null): Promise<void>;
}

/** Takes the cursor, waiting out a predecessor that did not let go; null when there is none. */
export async function openSingleSender(
  deps: DeliverDeps,
  consumerId: string,
): Promise<SingleSender | null> {
  const { progress, committer } = deps.shared;
  let leaseUntil = performance.now() + LEASE_MS;
  const lease = await progress.acquire(consumerId, deps.holder, LEASE_MS);
  if (lease === null) return null;
  const { epoch } = lease;
  let { position } = lease;
  let ahead = new Set(lease.ahead);
  let attempts: AttemptRow[] = [];
  let pace: Pace | null = null; // once the rate is known
  const signal = Context.current().cancellationSignal;

  async function mayStart({ target }: SenderConfig): Promise<boolean> {
    if (pace === null) pace = createPace(target.rateLimit, lease?.sendFrom);
    else pace.change(target.rateLimit);
    for (let ms = paceMs(); ms > 0 && !signal.aborted; ms = paceMs()) {
      await sleep(ms, undefined, { signal }).catch((error: unknown) => {
        if (!signal.aborted) throw error; // cancelled: the caller lets go
      });
    }
    if (signal.aborted) return false;
    if (leaseUntil - performance.now() < target.timeoutMs + MARGIN_MS) await commit(null);
    return true;
  }

  const paceMs = (): number => pace?.waitMs(performance.now()) ?? 0;

  async function send(config: SenderConfig, message: Message, attempt: number): Promise<Tried> {
    const { promise, resolve } = Promise.withResolvers<Tried>();
    const startBy = (): number => leaseUntil - LEASE_MARGIN_MS;
    const ended: OnAttemptEnd<Message> = ({ messageId }, outcome, startedAt, durationMs) => {
      const made = { position: message.position, messageId, attempt, startedAt, durationMs };
      resolve({ made, outcome });
    };
    const sender = deps.openSingle(config, ended, startBy);
    const sweep = setInterval(() => {
      const now = performance.now();
      sender.sweep(now);
      if (now > startBy()) sender.cut();
    }, 25);
    try {
      pace?.started(performance.now());
      sender.send(message, attempt);
      return await promise;
    } finally {
      clearInterval(sweep);
      await sender.close();
    }
  }

  function note(
    { stream }: SenderConfig,
    { made, outcome }: Tried,
    nextAttemptAt: number | null,
  ): void {
    if (outcome.kind === 'failed') {
      attempts.push(failedAttempt(stream, made, outcome, nextAttemptAt));
    } else if (outcome.kind === 'delivered') {
      const { status } = outcome;
      attempts.push({ ...toAttempt(stream, made), outcome: 'delivered', status });
    }
  }

  function settle(settled: number): void {
    ahead.add(settled);
    while (ahead.has(position + 1)) position += 1;
    ahead = new Set([...ahead].filter((one) => one > position));
  }

  async function commit(parking: ParkedEntries | null): Promise<void> {
    const outcomes = {
      consumerId,
      epoch,
      position,
      ahead: [...ahead].sort((a, b) => a - b),
      batch: emptyBatch(),
      attempts,
      parked: parking?.toStore() ?? null,
    };
    attempts = [];
    let givenUpAt = Infinity;
    for (;;) {
      const sentAt = performance.now();
      try {
        const stored = await progress.commit([outcomes], LEASE_MS);
        if (!stored.has(consumerId)) throw new Error('another sender has taken the cursor');
        parking?.committed();
        leaseUntil = sentAt + LEASE_MS;
        return;
      } catch (error) {
        // What was delivered must be stored, also when nobody waits for this activity any more.
        if (signal.aborted) givenUpAt = Math.min(givenUpAt, sentAt);
        if (!isDatabaseAway(error) || sentAt > givenUpAt + KEEP_MS) throw error;
        if (sentAt > committer.endsAt) {
          committer.unstored.add(consumerId);
          throw error;
        }
        await sleep(500);
      }
    }
  }

  async function release(head: Release['head'], config: SenderConfig | null): Promise<void> {
    const tried = config === null ? {} : { triedTarget: config.target };
    const paced = pace === null ? {} : { paceMs: paceMs() };
    await progress.release({ consumerId, epoch, idle: false, head, ...paced, ...tried });
  }

  if (lease.waitMs > 0) {
    await sleep(lease.waitMs);
    await commit(null);
  }
  return {
    lease,
    progress: () => ({ position, ahead: [...ahead] }),
    mayStart,
    paceMs,
    send,
    note,
    settle,
    commit,
    release,
  };
}
