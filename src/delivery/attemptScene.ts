import { LEASE_ENDED } from '../egress/exchange.ts';
import type { Message } from '../egress/webhookSender.ts';
import type { ParkedEntries } from '../failure/parkedEntries.ts';
import {
  longestRetryAfter,
  NO_NEXT_ATTEMPT,
  planHead,
  storedFailure,
  type HeadPlan,
} from '../rules/headPlan.ts';
import { knownLate, targetVersionOf, withLate } from '../rules/lateAnswer.ts';
import { blameOf, type Failed, type Failure } from '../rules/outcome.ts';
import { stretchOf } from '../rules/retry.ts';
import { CannotStart, WillPass } from '../rules/startFault.ts';
import type { Entry } from '../streams/entry.ts';
import type { DrainContext } from './drainContext.ts';
import type { LateAnswers } from './lateAnswers.ts';
import type { SenderConfig } from './senderConfig.ts';
import type { SingleSender, Tried } from './singleSender.ts';

/** The schedule by which an attempt is made. */
export interface AttemptSchedule {
  /** Unix ms, by the clock that counts the retry window. */
  nowMs: () => number;
  /** What is left of the retry window, ms. */
  remainingMs: () => number;
  /** Once it is aborted, no further request is made. */
  cancelled: AbortSignal;
  /** Whether no earlier attempt has planned this one; false for a retry. */
  isFirst: boolean;
  /** Whether it is the last attempt, whatever its outcome. */
  isLast: boolean;
}

/** What one attempt needs once its consumer has been looked up. */
export interface AttemptScene {
  context: Pick<DrainContext, 'pages' | 'progress' | 'parked' | 'now' | 'retryWindowMs' | 'log'>;
  schedule: AttemptSchedule;
  sender: SingleSender;
  config: SenderConfig;
  parkedEntries: ParkedEntries;
  lateAnswers: Pick<LateAnswers, 'await'>;
  /** A request starts within this time after the look-up that allowed it; otherwise it is looked up again, ms. */
  sendWithinMs: number;
}

/** The result when the endpoint has failed. The next attempt is planned and stored, and the lease released. */
export interface FailedHead {
  outcome: 'failed';
  /** The endpoint's host, for people. */
  host: string;
  position: number;
  attempt: number;
  failure: Failure;
  /** Milliseconds until the next attempt; null: none follows. */
  delayMs: number | null;
  /** When the next attempt is due, unix ms; null: none follows. */
  nextAttemptAt: number | null;
}

/** How often a consumer that has changed is looked up again before its attempt is postponed. */
export const LOOKS = 20;

/**
 * Makes one attempt, once the target's rate limit allows a request, if the consumer is unchanged; null: it has changed,
 * or the attempt was cancelled. So no request starts after a pause has been answered, nor with an older filter or
 * target: a command is answered only `sendWithinMs` after it was stored, and a look-up is valid for as long. While the
 * request waits for a token or a connection, the consumer is looked up again and again. Throws when Postgres answers
 * too slowly.
 */
export async function sendInForce(
  scene: AttemptScene,
  message: Message,
  attempt: number,
): Promise<Tried | null> {
  const { sender, config, sendWithinMs } = scene;
  if (!(await sender.mayStart(config))) return null;
  const valid = { until: await lookUpInTime(scene), isUsed: false };
  if (valid.until === null) return null;

  async function lookAgain(): Promise<void> {
    // A request that is answered 401 waits once more, for another token.
    if (valid.until === null || (valid.isUsed && config.target.oauth === null)) return;
    const seen = await lookUp(scene).catch(() => valid.until); // it stays valid until its time is over
    if (valid.until !== null) valid.until = seen;
  }

  const looks = setInterval(() => void lookAgain(), sendWithinMs / 2);
  try {
    const tried = await sender.send(config, message, attempt, () => {
      valid.isUsed = true;
      return valid.until ?? 0;
    });
    return valid.until === null && tried.outcome === LEASE_ENDED ? null : tried;
  } finally {
    clearInterval(looks);
  }
}

/** Until when a request may start, monotonic ms; null: the consumer has changed. */
async function lookUpInTime(scene: AttemptScene): Promise<number | null> {
  for (let looks = 0; looks < LOOKS; looks += 1) {
    const until = await lookUp(scene);
    if (until === null || performance.now() < until) return until;
  }
  throw new WillPass('Postgres answers too slowly to send');
}

async function lookUp({ context, config, sendWithinMs }: AttemptScene): Promise<number | null> {
  const lookedAt = performance.now();
  const seen = await context.progress.versions(config.consumerId);
  if (seen === null || seen.status !== 'blocked') return null;
  const isSame = seen.version === config.version && seen.targetVersion === config.target.version;
  return isSame ? lookedAt + sendWithinMs : null;
}

/** The number of the next attempt at an entry, which is one more than that of the last one. */
export async function attemptNumber(scene: AttemptScene, entry: Entry): Promise<number> {
  const { lease } = scene.sender;
  if (lease.head === entry.position) return lease.attempt + 1;
  const { consumerId } = scene.config;
  const before = await scene.context.progress.failedAttempts(consumerId, lease.position);
  return (before.get(entry.position) ?? 0) + 1;
}

/** The failure of an attempt; null when it was delivered. Throws for a fault that is not the endpoint's. */
export async function failureOf(scene: AttemptScene, { outcome }: Tried): Promise<Failed | null> {
  if (outcome.kind === 'delivered') return null;
  if (outcome.kind === 'failed') return outcome;
  if (outcome.lasting !== undefined) throw new CannotStart(outcome.lasting, outcome.detail);
  await scene.sender.release('keep', null);
  throw new WillPass(`a fault of this machine: ${outcome.detail}`);
}

/**
 * Ends an attempt that was a failure of the endpoint: plans the next attempt, stores both and releases the
 * lease. `probed` is the failure of a probe, if one was made and failed as well.
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
  const scheduleFrom = scheduleStart(scene);
  const plan =
    isGone || schedule.isLast ? NO_NEXT_ATTEMPT : planNext(scene, scheduleFrom, failures);
  const { delayMs, nextAttemptAt, askedUntil } = plan;
  sender.note(config, tried, nextAttemptAt);
  await sender.commit(parkedEntries);
  const target = targetVersionOf(config.target);
  const late = knownLate(sender.lease.lastFailure, failed, target);
  const failure = withLate(storedFailure(failed, schedule.nowMs()), late);
  const scheduleAgainFrom = askedUntil ?? sender.lease.scheduleAgainFrom;
  const times = { nextAttemptAt, askedUntil, scheduleFrom, scheduleAgainFrom };
  await sender.release({ position, attempt, tries, ...times, failure }, config);
  const overdue = failed === tried.outcome ? sender.takeOverdue() : null;
  if (overdue !== null) {
    const { consumerId } = config;
    const { epoch } = sender.lease;
    const at = { consumerId, epoch, target: config.target, failure };
    const nextInMs = nextAttemptAt === null ? null : nextAttemptAt - schedule.nowMs();
    scene.lateAnswers.await({ ...at, overdue, nextInMs });
  }
  if (isGone) return 'gone';
  const { host } = new URL(config.target.baseUrl);
  return { outcome: 'failed', host, position, attempt, failure, delayMs, nextAttemptAt };
}

/** When the schedule began, unix ms; if no sender has stored it, it is the beginning of the window. */
function scheduleStart({ context, schedule, sender }: AttemptScene): number {
  const failedFor = context.retryWindowMs - schedule.remainingMs();
  return sender.lease.scheduleFrom ?? schedule.nowMs() - Math.max(0, failedFor);
}

function planNext(
  { context, schedule, sender, config }: AttemptScene,
  scheduleFrom: number,
  failures: Failed[],
): HeadPlan {
  const { scheduleAgainFrom } = sender.lease;
  const nowMs = schedule.nowMs();
  return planHead({
    failingMs: nowMs - scheduleFrom,
    sinceAskedMs: scheduleAgainFrom === null ? null : nowMs - scheduleAgainFrom,
    nowMs,
    remainingMs: schedule.remainingMs(),
    windowMs: context.retryWindowMs,
    askedMs: longestRetryAfter(failures, context.now()),
    stretch: stretchOf(config.consumerId),
    leastMs: sender.paceMs(),
  });
}
