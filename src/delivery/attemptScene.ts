import type { ParkedEntries } from '../failure/parkedEntries.ts';
import {
  longestRetryAfter,
  NO_NEXT_ATTEMPT,
  planHead,
  storedFailure,
  type HeadPlan,
} from '../rules/headPlan.ts';
import { blameOf, type Failed, type Failure } from '../rules/outcome.ts';
import type { Entry } from '../streams/entry.ts';
import type { DrainContext } from './drainContext.ts';
import type { SenderConfig } from './senderConfig.ts';
import type { SingleSender, Tried } from './singleSender.ts';

/** What an attempt knows of the schedule that it is made by. */
export interface AttemptSchedule {
  /** Unix ms, in the time that the window is counted in. */
  nowMs: () => number;
  /** What is left of the retry window, ms. */
  remainingMs: () => number;
  /** Aborted: no further request is made. */
  cancelled: AbortSignal;
  /** False for a retry, which an attempt before it has planned. */
  isFirst: boolean;
  /** Whatever comes of it, no other attempt follows. */
  isLast: boolean;
}

/** What one attempt works with, from when its consumer was looked up. */
export interface AttemptScene {
  context: Pick<DrainContext, 'pages' | 'progress' | 'parked' | 'retryWindowMs' | 'log'>;
  schedule: AttemptSchedule;
  sender: SingleSender;
  config: SenderConfig;
  parkedEntries: ParkedEntries;
  /** A request starts within this time of the look-up that allowed it, or it is looked up again, ms. */
  sendWithinMs: number;
}

/** The endpoint failed. The next attempt is planned and stored, and the lease released. */
export interface FailedHead {
  outcome: 'failed';
  /** Of the endpoint, for people. */
  host: string;
  position: number;
  attempt: number;
  failure: Failure;
  /** Ms until the next attempt; null: none follows. */
  delayMs: number | null;
  /** The same as unix ms. */
  nextAttemptAt: number | null;
}

/** How often a consumer that has changed is looked up again before its attempt is put off. */
export const LOOKS = 20;

/**
 * Whether the consumer is still as it was looked up, right before a request and when its turn has
 * come by the target's rate: so none starts after a pause was answered, nor by an older filter or
 * target. A command waits `sendWithinMs` for a request that may start by what was seen before it.
 */
export async function isInForce(scene: AttemptScene): Promise<boolean> {
  const { context, sender, config, sendWithinMs } = scene;
  if (!(await sender.mayStart(config))) return false;
  for (let looks = 0; looks < LOOKS; looks += 1) {
    const lookedAt = performance.now();
    const seen = await context.progress.versions(config.consumerId);
    if (seen === null || seen.status !== 'blocked') return false;
    if (seen.version !== config.version) return false;
    if (seen.targetVersion !== config.target.version) return false;
    if (performance.now() - lookedAt < sendWithinMs) return true;
  }
  throw new Error('Postgres answers too slowly to send');
}

/** The number that the next attempt at an entry has: one more than all that have failed. */
export async function attemptNumber(scene: AttemptScene, entry: Entry): Promise<number> {
  const { lease } = scene.sender;
  if (lease.head === entry.position) return lease.attempt + 1;
  const { consumerId } = scene.config;
  const before = await scene.context.progress.failedAttempts(consumerId, lease.position);
  return (before.get(entry.position) ?? 0) + 1;
}

/** Null when it was delivered. Releases the lease and throws for a fault of this machine. */
export async function failureOf(scene: AttemptScene, { outcome }: Tried): Promise<Failed | null> {
  if (outcome.kind === 'delivered') return null;
  if (outcome.kind === 'failed') return outcome;
  await scene.sender.release('keep', null);
  throw new Error(`a fault of this machine: ${outcome.detail}`);
}

/**
 * Ends an attempt that was the endpoint's failure: plans the next one, stores it and releases the
 * lease. `probed` is what a probe of it was answered, where there was one that failed too.
 */
export async function endFailed(
  scene: AttemptScene,
  tried: Tried,
  failed: Failed,
  probed: Failed | null = null,
): Promise<FailedHead | 'gone'> {
  const { sender, config, parkedEntries, schedule } = scene;
  const { position, attempt } = tried.ended;
  const failures = probed === null ? [failed] : [failed, probed];
  const isGone = failures.some((one) => blameOf(one) === 'gone');
  const tries = sender.lease.tries + 1;
  const plan = isGone || schedule.isLast ? NO_NEXT_ATTEMPT : planNext(scene, tries, failures);
  const { delayMs, nextAttemptAt, askedUntil } = plan;
  sender.note(config, tried, nextAttemptAt);
  await sender.commit(parkedEntries);
  const failure = storedFailure(failed, schedule.nowMs());
  await sender.release({ position, attempt, tries, nextAttemptAt, askedUntil, failure }, config);
  if (isGone) return 'gone';
  const { host } = new URL(config.target.baseUrl);
  return { outcome: 'failed', host, position, attempt, failure, delayMs, nextAttemptAt };
}

function planNext(
  { context, schedule, sender }: AttemptScene,
  tries: number,
  failures: Failed[],
): HeadPlan {
  return planHead({
    attempt: tries,
    nowMs: schedule.nowMs(),
    remainingMs: schedule.remainingMs(),
    windowMs: context.retryWindowMs,
    askedMs: longestRetryAfter(failures, Date.now()), // a date is by the endpoint's clock
    random: Math.random(),
    leastMs: sender.paceMs(),
  });
}
