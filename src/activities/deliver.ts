import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';

import { isDatabaseAway } from '../db.ts';
import { SEND_WITHIN_MS } from '../confirmation.ts';
import { findHead, findProbe, type HeadRequest } from '../head.ts';
import { recordOf } from '../order.ts';
import { blameOf, type Failed } from '../outcome.ts';
import type { Entry } from '../pages.ts';
import { recordOfRow } from '../parked.ts';
import { createParking, type Parking } from '../parking.ts';
import { nextDelayMs, parseRetryAfter } from '../retry.ts';
import { ownClock, type Run } from '../run.ts';
import type { Delivered, DeliverFailure, Of } from './contract.ts';
import { openSession, type DeliverDeps, type Session, type Tried } from './session.ts';

export type { DeliverDeps } from './session.ts';

/**
 * One attempt at the head of a blocked consumer; Temporal's retry policy, steered by
 * `nextRetryDelay`, makes the next one. The only sender while the consumer is blocked. Where the
 * endpoint answers, an entry of another record is tried too, which tells a poisoned message from a
 * failing endpoint. Throws an `ApplicationFailure` when the endpoint failed; its details say whether
 * it was the window's last attempt.
 */
export async function deliver(
  deps: DeliverDeps,
  input: Of & { last: boolean },
): Promise<Delivered> {
  const context = Context.current();
  context.heartbeat();
  const beat = setInterval(() => context.heartbeat(), 4_000);
  try {
    return await attemptHead(deps, input);
  } catch (error) {
    if (error instanceof ApplicationFailure || input.last) throw error;
    // Our own trouble must not run up the endpoint's backoff.
    throw ApplicationFailure.create({
      type: isDatabaseAway(error) ? 'DATABASE_UNAVAILABLE' : 'INTERNAL',
      message: error instanceof Error ? error.message : 'the attempt could not be made',
      nextRetryDelay: '2s',
    });
  } finally {
    clearInterval(beat);
  }
}

/** What one attempt works with. */
interface Scene {
  deps: DeliverDeps;
  session: Session;
  consumerId: string;
  run: Run;
  parking: Parking;
  last: boolean;
  began: number;
}

async function attemptHead(
  deps: DeliverDeps,
  { consumerId, last }: Of & { last: boolean },
): Promise<Delivered> {
  const began = performance.now();
  const session = await openSession(deps, consumerId);
  if (session === null) return { outcome: 'changed', position: 0 };
  const { position } = session.lease;
  for (;;) {
    const lookedAt = performance.now();
    const run = await loadBlocked(deps, consumerId);
    if (run === null) {
      await session.release('keep', null);
      return { outcome: 'changed', position };
    }
    const rows = await deps.shared.parked.rows(consumerId);
    const { nowMs } = timing(deps, began);
    const parking = createParking({
      windowMs: deps.shared.retryWindowMs,
      clock: () => ownClock(run, nowMs()),
      nowMs,
      rows,
      total: session.lease.parkedTotal,
    });
    const scene = { deps, session, consumerId, run, parking, last, began };
    const request = headRequest(scene, new Set(rows.map(recordOfRow)));
    const { entry, settledTo } = await findHead(request);
    session.settle(settledTo, []);
    const tried =
      entry === null
        ? await tryParked(scene, lookedAt)
        : await tryHead(scene, request, entry, lookedAt);
    if (tried !== 'again') return { outcome: tried, position };
  }
}

/** Whoever pauses the consumer counts on no request starting later than this after the look. */
function isLate(lookedAt: number): boolean {
  return performance.now() - lookedAt > SEND_WITHIN_MS;
}

async function loadBlocked(deps: DeliverDeps, consumerId: string): Promise<Run | null> {
  const run = await deps.shared.loadRun(consumerId);
  return run === null || run.deleted || run.status !== 'blocked' ? null : run;
}

function headRequest({ deps, session, run }: Scene, parked: Set<string>): HeadRequest {
  const { stream, filters } = run;
  const { position, ahead } = session.lease;
  const waits = run.ordering === 'record' ? parked : new Set<string>();
  return { pages: deps.shared.pages, stream, filters, position, ahead, parked: waits };
}

type Result = Delivered['outcome'] | 'again';

// ── the head ─────────────────────────────────────────────────────────────────────────────

async function tryHead(
  scene: Scene,
  request: HeadRequest,
  entry: Entry,
  lookedAt: number,
): Promise<Result> {
  const { session, run } = scene;
  const attempt = await attemptNumber(scene, entry);
  if (isLate(lookedAt)) return 'again';
  const tried = await session.send(run, entry, attempt);
  const failed = await failureOf(scene, tried);
  if (failed === null) return deliveredHead(scene, entry, tried);
  if (blameOf(failed) !== 'message' || run.ordering === 'stream') {
    return fails(scene, entry.position, tried, failed);
  }
  const verdict = await probe(scene, request, entry, attempt, tried);
  if (verdict === 'silent') return fails(scene, entry.position, tried, failed);
  if (verdict === 'again') return 'again';
  const second = await session.send(run, entry, attempt + 1);
  const decided = await failureOf(scene, second);
  if (decided === null) return deliveredHead(scene, entry, second);
  if (blameOf(decided) !== 'message') return fails(scene, entry.position, second, decided);
  scene.parking.park(entry, recordOf(entry), attempt + 1, decided);
  session.note(run, second, null);
  session.settle(0, [entry.position]);
  await session.commit(scene.parking);
  await session.release(null, run);
  return 'parked';
}

async function deliveredHead(scene: Scene, entry: Entry, tried: Tried): Promise<Result> {
  scene.session.note(scene.run, tried, null);
  scene.session.settle(0, [entry.position]);
  await scene.session.commit(null);
  await scene.session.release(null, scene.run);
  return 'delivered';
}

/** `speaks`: the endpoint takes another record's entry. `silent`: it does not, or nothing else waits. */
async function probe(
  scene: Scene,
  request: HeadRequest,
  head: Entry,
  attempt: number,
  tried: Tried,
): Promise<'speaks' | 'silent' | 'again'> {
  const { deps, session, run, consumerId } = scene;
  const entry = await findProbe(request, head, attempt - 1);
  if (entry === null) return 'silent';
  const before = await attemptNumber(scene, entry);
  if (!(await isStillBlocked(scene))) {
    session.note(run, tried, null);
    await session.commit(null);
    return 'again';
  }
  const probed = await session.send(run, entry, before);
  const speaks = probed.outcome.kind === 'delivered';
  session.note(run, probed, null);
  if (!speaks) return 'silent';
  session.note(run, tried, null);
  session.settle(0, [entry.position]);
  await session.commit(null);
  deps.shared.log.info({ consumer_id: consumerId, position: entry.position }, 'a probe succeeded');
  return (await isStillBlocked(scene)) ? 'speaks' : 'again';
}

/** Looked at right before a request, so that none starts after a pause was answered. */
async function isStillBlocked({ deps, consumerId }: Scene): Promise<boolean> {
  for (;;) {
    const lookedAt = performance.now();
    if ((await loadBlocked(deps, consumerId)) === null) return false;
    if (!isLate(lookedAt)) return true;
  }
}

async function attemptNumber({ deps, session, consumerId }: Scene, entry: Entry): Promise<number> {
  const { lease } = session;
  if (lease.head === entry.position) return lease.attempt + 1;
  const before = await deps.shared.progress.failedAttempts(consumerId, lease.position);
  return (before.get(entry.position) ?? 0) + 1;
}

// ── parked entries, when nothing else waits ──────────────────────────────────────────────

async function tryParked(scene: Scene, lookedAt: number): Promise<Result> {
  const { deps, session, run, parking, consumerId } = scene;
  const parked = parking.first();
  if (parked === null) {
    await session.commit(null);
    await session.release(null, run);
    return 'clear';
  }
  const { position } = parked.entry;
  const bodies = await deps.shared.parked.bodies(consumerId, [position]);
  if (!parking.load(parked, bodies.get(position))) {
    await session.commit(parking);
    return 'again';
  }
  if (isLate(lookedAt)) return 'again';
  const { messageId, body } = parked.entry;
  const tried = await session.send(run, { position, messageId, body }, parked.attempts + 1);
  const failed = await failureOf(scene, tried);
  if (failed === null) parking.delivered(parked);
  else if (blameOf(failed) === 'message') parking.failed(parked, failed, true);
  else {
    parking.failed(parked, failed, false);
    return fails(scene, position, tried, failed);
  }
  session.note(run, tried, null);
  do await session.commit(parking);
  while (parking.unwritten);
  await session.release(null, run);
  return failed === null ? 'delivered' : 'parked';
}

// ── failing ──────────────────────────────────────────────────────────────────────────────

/** Null when it was delivered; a fault of ours lets go and throws. */
async function failureOf({ session }: Scene, { outcome }: Tried): Promise<Failed | null> {
  if (outcome.kind === 'delivered') return null;
  if (outcome.kind === 'failed') return outcome;
  await session.release('keep', null);
  throw new Error(`a fault of this machine: ${outcome.detail}`);
}

/** The endpoint failed: plans the next attempt, stores it, and tells Temporal. */
async function fails(
  scene: Scene,
  position: number,
  tried: Tried,
  failed: Failed,
): Promise<'gone'> {
  const { deps, session, run, parking, last } = scene;
  const { attempt } = tried.made;
  const { nowMs, remainingMs, windowMs } = timing(deps, scene.began);
  const delay = last
    ? null
    : nextDelayMs({
        attempt,
        remainingMs: remainingMs(),
        windowMs,
        retryAfterMs: parseRetryAfter(failed.retryAfter, Date.now()),
        random: Math.random(),
      });
  const gone = blameOf(failed) === 'gone';
  const nextAttemptAt = delay === null || gone ? null : nowMs() + delay;
  session.note(run, tried, nextAttemptAt);
  await session.commit(parking);
  const { code, status, detail } = failed;
  const failure = { code, status, detail, at: new Date(nowMs()).toISOString() };
  await session.release({ position, attempt, nextAttemptAt, failure }, run);
  if (gone) return 'gone';
  throw ApplicationFailure.create({
    type: code,
    message: `${new URL(run.target.baseUrl).host}: ${detail} (attempt ${attempt} at position ${position})`,
    category: 'BENIGN',
    details: [{ final: delay === null } satisfies DeliverFailure],
    nonRetryable: delay === null,
    ...(delay === null ? {} : { nextRetryDelay: Math.max(1, Math.round(delay)) }),
  });
}

interface Timing {
  nowMs: () => number;
  remainingMs: () => number;
  windowMs: number;
}

/** Time as Temporal counts it: its own timestamps follow time skipping, the wall clock does not. */
function timing(deps: DeliverDeps, began: number): Timing {
  const { info } = Context.current();
  const windowMs = info.scheduleToCloseTimeoutMs ?? deps.shared.retryWindowMs;
  const took = (): number => performance.now() - began;
  const waited = info.currentAttemptScheduledTimestampMs - info.scheduledTimestampMs;
  return {
    nowMs: () => info.currentAttemptScheduledTimestampMs + took(),
    remainingMs: () => windowMs - waited - took(),
    windowMs,
  };
}
