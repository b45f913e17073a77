import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';

import { SEND_WITHIN_MS } from '../consumers/untilInForce.ts';
import { isDatabaseAway } from '../db/errors.ts';
import { ownClock, type SenderConfig } from '../delivery/senderConfig.ts';
import { findHead, findProbe, type HeadRequest } from '../failure/headSearch.ts';
import { createParkedEntries, type ParkedEntries } from '../failure/parkedEntries.ts';
import { isSameAnswer } from '../failure/parkedEntry.ts';
import { recordOfRow } from '../progress/parkedRows.ts';
import { recordOf } from '../rules/ordering.ts';
import { blameOf, mayBeMessage, type Failed } from '../rules/outcome.ts';
import { nextDelayMs, parseRetryAfter } from '../rules/retry.ts';
import type { Entry } from '../streams/entry.ts';
import type { Delivered, DeliverFailure, DeliverInput, HeadReport } from './contract.ts';
import { openSingleSender, type DeliverDeps, type SingleSender, type Tried } from './session.ts';

export type { DeliverDeps } from './session.ts';

/**
 * One attempt at the head of a blocked consumer; Temporal's retry policy, steered by
 * `nextRetryDelay`, makes the next one. The only sender while the consumer is blocked. Where the
 * endpoint answers, an entry of another record is tried too, which tells a poisoned message from a
 * failing endpoint. Throws an `ApplicationFailure` when the endpoint failed; its details say whether
 * it was the window's last attempt.
 */
export async function deliver(deps: DeliverDeps, input: DeliverInput): Promise<Delivered> {
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

/** As often is looked again before the attempt is put off. */
const LOOKS = 20;

/** What one attempt works with. */
interface Scene {
  deps: DeliverDeps;
  session: SingleSender;
  consumerId: string;
  config: SenderConfig;
  parking: ParkedEntries;
  last: boolean;
  began: number;
}

async function attemptHead(
  deps: DeliverDeps,
  { consumerId, last, windowMs }: DeliverInput,
): Promise<Delivered> {
  const began = performance.now();
  if (isOutdated(deps, windowMs)) return { outcome: 'changed', position: 0 };
  const session = await openSingleSender(deps, consumerId);
  if (session === null) return { outcome: 'changed', position: 0 };
  const { position } = session.lease;
  for (let looks = 0; looks < LOOKS; looks += 1) {
    const config = isCancelled() ? null : await loadBlocked(deps, consumerId);
    if (config === null) {
      await session.release('keep', null);
      return { outcome: 'changed', position };
    }
    const rows = await deps.shared.parked.rows(consumerId);
    const { nowMs } = timing(deps, began);
    const parking = createParkedEntries({
      windowMs: deps.shared.retryWindowMs,
      clock: () => ownClock(config, nowMs()),
      nowMs,
      rows,
      total: session.lease.parkedTotal,
    });
    const scene = { deps, session, consumerId, config, parking, last, began };
    const request = headRequest(scene, new Set(rows.map(recordOfRow)));
    // What does not pass is left to the drain: a version that comes meanwhile may let it pass.
    const entry = await findHead(request);
    const tried = entry === null ? await tryParked(scene) : await tryHead(scene, request, entry);
    if (tried !== 'again') return { outcome: tried, position };
  }
  await session.release('keep', null);
  throw new Error('the consumer changes too often to be tried');
}

/**
 * Planned by a window that is not in force here. The first attempt is made nevertheless: workers that
 * differ would send the workflow to and fro.
 */
function isOutdated({ shared }: DeliverDeps, windowMs = shared.retryWindowMs): boolean {
  return windowMs !== shared.retryWindowMs && Context.current().info.attempt > 1;
}

function isCancelled(): boolean {
  return Context.current().cancellationSignal.aborted;
}

/**
 * Right before a request, when its turn has come by the target's rate: whether the consumer is still
 * as it was looked up, so that none starts after a pause was answered, nor by an older filter or
 * target. Whoever makes a change waits `SEND_WITHIN_MS` for a request that is about to start by what
 * was seen before.
 */
async function isInForce({ deps, session, config }: Scene): Promise<boolean> {
  if (!(await session.mayStart(config))) return false;
  for (let looks = 0; looks < LOOKS; looks += 1) {
    const lookedAt = performance.now();
    const seen = await deps.shared.progress.versions(config.consumerId);
    if (seen === null || seen.status !== 'blocked') return false;
    if (seen.version !== config.version || seen.targetVersion !== config.target.version)
      return false;
    if (performance.now() - lookedAt < SEND_WITHIN_MS) return true;
  }
  throw new Error('Postgres answers too slowly to send');
}

async function loadBlocked(deps: DeliverDeps, consumerId: string): Promise<SenderConfig | null> {
  const config = await deps.shared.loadConfig(consumerId);
  return config === null || config.deleted || config.status !== 'blocked' ? null : config;
}

function headRequest({ deps, session, config }: Scene, parked: Set<string>): HeadRequest {
  const { stream, filters } = config;
  const { position, ahead } = session.progress(); // a probe may have settled one since
  const waits = config.ordering === 'record' ? parked : new Set<string>();
  return { pages: deps.shared.pages, stream, filters, position, ahead, parked: waits };
}

type Result = Delivered['outcome'] | 'again';

// ── the head ─────────────────────────────────────────────────────────────────────────────

async function tryHead(scene: Scene, request: HeadRequest, entry: Entry): Promise<Result> {
  const { deps, session, config } = scene;
  const attempt = await attemptNumber(scene, entry);
  if (!(await isInForce(scene))) return 'again';
  const tried = await session.send(config, entry, attempt);
  const failed = await failureOf(scene, tried);
  if (failed === null) return deliveredHead(scene, entry, tried);
  if (!mayBeMessage(failed) || config.ordering === 'stream') {
    return fails(scene, entry.position, tried, failed);
  }
  const probed = await probe(scene, request, entry, tried);
  if (probed === 'again') return 'again';
  if (probed !== 'speaks') return fails(scene, entry.position, tried, failed, probed);
  // On the records stream it may have moved meanwhile.
  if ((await deps.shared.pages.entryAt(config.stream, entry.position)) === null) return 'again';
  if (!(await isInForce(scene))) return 'again';
  const second = await session.send(config, entry, attempt + 1);
  const decided = await failureOf(scene, second);
  if (decided === null) return deliveredHead(scene, entry, second);
  if (!mayBeMessage(decided)) return fails(scene, entry.position, second, decided);
  scene.parking.park(entry, recordOf(entry), attempt + 1, decided);
  session.note(config, second, null);
  session.settle(entry.position);
  await session.commit(scene.parking);
  await session.release(null, config);
  return 'parked';
}

async function deliveredHead(scene: Scene, entry: Entry, tried: Tried): Promise<Result> {
  scene.session.note(scene.config, tried, null);
  scene.session.settle(entry.position);
  await scene.session.commit(null);
  await scene.session.release(null, scene.config);
  return 'delivered';
}

/** `speaks`: the endpoint takes another record's entry; else what it said, null when nothing else waits. */
async function probe(
  scene: Scene,
  request: HeadRequest,
  head: Entry,
  tried: Tried,
): Promise<'speaks' | 'again' | Failed | null> {
  const { deps, session, config, consumerId } = scene;
  const entry = await findProbe(request, head, session.lease.tries);
  if (entry === null) return null;
  const before = await attemptNumber(scene, entry);
  if (!(await isInForce(scene))) {
    if (isCancelled()) return null; // the head has failed, whoever comes next
    session.note(config, tried, null);
    await session.commit(null);
    return 'again';
  }
  const probed = await session.send(config, entry, before);
  const failed = await failureOf(scene, probed);
  session.note(config, probed, null);
  if (failed !== null) return failed;
  session.note(config, tried, null);
  session.settle(entry.position);
  await session.commit(null);
  deps.shared.log.info({ consumer_id: consumerId, position: entry.position }, 'a probe succeeded');
  return 'speaks';
}

async function attemptNumber({ deps, session, consumerId }: Scene, entry: Entry): Promise<number> {
  const { lease } = session;
  if (lease.head === entry.position) return lease.attempt + 1;
  const before = await deps.shared.progress.failedAttempts(consumerId, lease.position);
  return (before.get(entry.position) ?? 0) + 1;
}

// ── parked entries, when nothing else waits ──────────────────────────────────────────────

async function tryParked(scene: Scene): Promise<Result> {
  const { deps, session, config, parking, consumerId } = scene;
  const parked = parking.first();
  if (parked === null) {
    await session.commit(null);
    await session.release(null, config);
    return 'clear';
  }
  const { position } = parked.entry;
  const bodies = await deps.shared.parked.bodies(consumerId, [position]);
  if (!parking.load(parked, bodies.get(position))) {
    await session.commit(parking);
    return 'again';
  }
  if (!(await isInForce(scene))) return 'again';
  const { messageId, body } = parked.entry;
  const tried = await session.send(config, { position, messageId, body }, parked.attempts + 1);
  const failed = await failureOf(scene, tried);
  // Answered as when it was proven to be its own fault, it says nothing new of the endpoint.
  const own = failed !== null && isSameAnswer(parked.failure, failed);
  if (failed === null) parking.delivered(parked);
  else parking.failed(parked, failed, false); // nothing dies while the consumer is not active
  if (failed !== null && !own) return fails(scene, position, tried, failed);
  session.note(config, tried, null);
  do await session.commit(parking);
  while (parking.unwritten);
  await session.release(null, config);
  return failed === null ? 'delivered' : 'clear';
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
  probed: Failed | null = null,
): Promise<'gone'> {
  const { deps, session, config, parking, last, consumerId } = scene;
  const { attempt } = tried.made;
  const { nowMs, remainingMs } = timing(deps, scene.began);
  const tries = session.lease.tries + 1;
  const asked = longer(retryAfterOf(failed), probed === null ? null : retryAfterOf(probed));
  const delay = last
    ? null
    : nextDelayMs({
        attempt: tries,
        remainingMs: remainingMs(),
        windowMs: deps.shared.retryWindowMs,
        retryAfterMs: asked,
        random: Math.random(),
        leastMs: session.paceMs(),
      });
  const gone = [failed, probed].some((one) => one !== null && blameOf(one) === 'gone');
  const nextAttemptAt = delay === null || gone ? null : nowMs() + delay;
  session.note(config, tried, nextAttemptAt);
  await session.commit(parking);
  const { code, status, detail } = failed;
  const failure = { code, status, detail, at: new Date(nowMs()).toISOString() };
  const askedUntil = asked === null ? null : nextAttemptAt;
  await session.release({ position, attempt, tries, nextAttemptAt, askedUntil, failure }, config);
  if (gone) return 'gone';
  await tell(deps, consumerId, {
    attempt,
    nextAttemptAt: iso(nextAttemptAt),
    lastFailure: failure,
  });
  throw ApplicationFailure.create({
    type: code,
    message: `${new URL(config.target.baseUrl).host}: ${detail} (attempt ${attempt} at position ${position})`,
    category: 'BENIGN',
    details: [{ final: delay === null } satisfies DeliverFailure],
    nonRetryable: delay === null,
    ...(delay === null ? {} : { nextRetryDelay: Math.max(1, Math.round(delay)) }),
  });
}

/** People see it in the Temporal UI; when that can't be told, the row still says it. */
async function tell(deps: DeliverDeps, consumerId: string, failing: HeadReport): Promise<void> {
  try {
    await deps.reportHead(consumerId, failing);
  } catch (error) {
    deps.shared.log.warn({ err: error, consumer_id: consumerId }, 'the workflow was not told');
  }
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

function retryAfterOf({ retryAfter }: Failed): number | null {
  return parseRetryAfter(retryAfter, Date.now());
}

function longer(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.max(one, other);
}

interface Timing {
  nowMs: () => number;
  remainingMs: () => number;
}

/** Time as Temporal counts it: its own timestamps follow time skipping, the wall clock does not. */
function timing(deps: DeliverDeps, began: number): Timing {
  const { info } = Context.current();
  const leftMs = info.scheduleToCloseTimeoutMs ?? deps.shared.retryWindowMs;
  const took = (): number => performance.now() - began;
  const waited = info.currentAttemptScheduledTimestampMs - info.scheduledTimestampMs;
  return {
    nowMs: () => info.currentAttemptScheduledTimestampMs + took(),
    remainingMs: () => leftMs - waited - took(),
  };
}
