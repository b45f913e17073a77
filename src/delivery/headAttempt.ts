import { setTimeout as sleep } from 'node:timers/promises';

import { findHead, type HeadRequest } from '../failure/headSearch.ts';
import { createParkedEntries, type ParkedEntries } from '../failure/parkedEntries.ts';
import { recheckParked } from '../failure/parkedRechecks.ts';
import type { Shared } from '../flow/budget.ts';
import type { Lease } from '../progress/lease.ts';
import { recordOfRow, type ParkedHead } from '../progress/parkedRows.ts';
import { whereOf } from '../rules/filter.ts';
import { recordOf } from '../rules/ordering.ts';
import { isOfBody, mayBeMessage, type Failed } from '../rules/outcome.ts';
import { CannotStart, WillPass } from '../rules/startFault.ts';
import { compileWhere, isSatisfied } from '../rules/where.ts';
import type { Entry } from '../streams/entry.ts';
import {
  attemptNumber,
  endFailed,
  failureOf,
  LOOKS,
  sendInForce,
  type AttemptScene,
  type AttemptSchedule,
  type FailedHead,
} from './attemptScene.ts';
import type { DrainContext } from './drainContext.ts';
import type { LateAnswers } from './lateAnswers.ts';
import { tryParked } from './parkedAttempt.ts';
import { probeEndpoint } from './probe.ts';
import { ownClock, type SenderConfig } from './senderConfig.ts';
import {
  openSingleSender,
  type OpenSingle,
  type SingleSender,
  type Tried,
} from './singleSender.ts';

/** What an attempt at a failing head needs. */
export interface HeadAttempt {
  consumerId: string;
  context: Pick<
    DrainContext,
    | 'pages'
    | 'progress'
    | 'parked'
    | 'committer'
    | 'budget'
    | 'conditions'
    | 'loadConfig'
    | 'now'
    | 'retryWindowMs'
    | 'log'
  >;
  /** Names this process in the cursor. */
  holder: string;
  openSingle: OpenSingle;
  lateAnswers: Pick<LateAnswers, 'await' | 'cut'>;
  /** How long after it was stored a command to a blocked consumer is answered, ms. */
  sendWithinMs: number;
  schedule: AttemptSchedule;
  /** Called with the cursor as it was when it was taken. */
  leased?: (lease: Lease) => void;
  /** The retry window with which a retry was planned, ms; undefined: unknown. */
  windowMs: number | undefined;
}

/**
 * The result of an attempt. `delivered`: the endpoint accepted an entry. `clear`: nothing is left to try.
 * `parked`: the endpoint accepts other entries, so the head was parked. `changed`: the consumer is no longer
 * blocked, or the retry window has another length. `gone`: the endpoint answered 410.
 */
export type HeadResult =
  | { outcome: 'delivered' | 'parked' | 'clear' | 'changed' | 'gone'; position: number }
  | FailedHead;

/**
 * The result of one look-up of the consumer and an attempt. `again`: it has changed and is looked up once more.
 * `unmade`: no body could be made of the head, which was parked, so that the next one has its turn.
 */
type LookResult = 'delivered' | 'parked' | 'clear' | 'gone' | 'again' | 'unmade' | FailedHead;

/**
 * Makes one attempt at the head of a blocked consumer, as its only sender. If the endpoint answers, an entry of
 * another record is tried as well, which tells a poisoned message from a failing endpoint. A failure of the
 * endpoint is returned as a result; this rejects only for faults of Millrace itself. The lease is then released
 * if nothing has been sent.
 */
export async function attemptHead(options: HeadAttempt): Promise<HeadResult> {
  if (isOutdated(options)) return { outcome: 'changed', position: 0 };
  const { consumerId, context, holder, openSingle, schedule } = options;
  const { progress, committer } = context;
  const { cancelled } = schedule;
  await untilRoom(context.budget.bytes, cancelled);
  options.lateAnswers.cut(consumerId);
  const sender = await openSingleSender({
    consumerId,
    holder,
    progress,
    committer,
    memory: context.budget.bytes,
    openSingle,
    cancelled,
  });
  if (sender === null) return { outcome: 'changed', position: 0 };
  options.leased?.(sender.lease);
  try {
    return await lookAndTry(options, sender);
  } catch (error) {
    if (error instanceof CannotStart) await letGo(sender);
    throw error;
  } finally {
    sender.cutOverdue();
  }
}

/** The pause between two checks of the memory, and how long it is waited for before the attempt is postponed, ms. */
const ROOM_POLL_MS = 100;
const ROOM_WAIT_MS = 10_000;

/** Waits until any of the memory for sending is left, as a drain that holds nothing does. */
async function untilRoom(memory: Pick<Shared, 'room'>, cancelled: AbortSignal): Promise<void> {
  const until = performance.now() + ROOM_WAIT_MS;
  while (memory.room(0) <= 0 && !cancelled.aborted) {
    if (performance.now() >= until) throw new WillPass('the memory for what is sent is taken');
    await sleep(ROOM_POLL_MS);
  }
}

async function lookAndTry(options: HeadAttempt, sender: SingleSender): Promise<HeadResult> {
  const { consumerId, context, schedule } = options;
  const { position } = sender.lease;
  const { cancelled } = schedule;
  for (let looks = 0; looks < LOOKS; looks += 1) {
    const config = cancelled.aborted ? null : await loadBlocked(context, consumerId);
    if (config === null) {
      await sender.release('keep', null);
      return { outcome: 'changed', position };
    }
    const result = await attemptOnce(options, sender, config);
    if (typeof result === 'object') return result;
    if (result === 'unmade' && looks === LOOKS - 1) {
      await sender.release(null, config); // a drain parks the others faster
      return { outcome: 'clear', position };
    }
    if (result !== 'again' && result !== 'unmade') return { outcome: result, position };
  }
  await sender.release('keep', null);
  throw new WillPass('the consumer changes too often to be tried');
}

/** Releases the lease, so that the next try does not have to wait for its end. If this fails, it does wait. */
async function letGo(sender: SingleSender): Promise<void> {
  await sender.release('keep', null).catch(() => undefined);
}

/**
 * Whether a retry was planned for a retry window of another length than this worker's. A first attempt is made
 * nevertheless: otherwise workers with different settings could postpone each other's attempts for ever.
 */
function isOutdated({ context, schedule, windowMs }: HeadAttempt): boolean {
  const { retryWindowMs } = context;
  return !schedule.isFirst && windowMs !== undefined && windowMs !== retryWindowMs;
}

async function loadBlocked(
  context: Pick<DrainContext, 'loadConfig'>,
  consumerId: string,
): Promise<SenderConfig | null> {
  const config = await context.loadConfig(consumerId);
  if (config === null || config.deleted || config.held) return null;
  return config.status === 'blocked' ? config : null;
}

async function attemptOnce(
  { context, schedule, sendWithinMs, lateAnswers }: HeadAttempt,
  sender: SingleSender,
  config: SenderConfig,
): Promise<LookResult> {
  const rows = await context.parked.heads(config.consumerId);
  const { nowMs } = schedule;
  const parkedEntries = createParkedEntries({
    windowMs: context.retryWindowMs,
    clock: () => ownClock(config, nowMs()),
    nowMs,
    now: context.now,
    rows,
    total: sender.lease.parkedTotal,
  });
  await keepSatisfying(parkedEntries, config, context);
  const scene = { context, schedule, sender, config, parkedEntries, sendWithinMs, lateAnswers };
  const request = headRequest(scene, rows);
  // Entries that do not pass are left to the drain: a filter version that is added meanwhile may let them pass.
  const head = await findHead(request);
  return head === null ? tryParked(scene) : tryHead(scene, request, head);
}

/** How many parked entries are asked about before each attempt. */
const ASKED = 200;

/** Closes parked entries that do not satisfy the newest condition, which the sender before may have stored later. */
async function keepSatisfying(
  parked: ParkedEntries,
  { consumerId, filters, stream }: SenderConfig,
  { parked: store, conditions }: Pick<DrainContext, 'parked' | 'conditions'>,
): Promise<void> {
  const text = whereOf(filters.at(-1)?.filter ?? {});
  if (text === null) return;
  const where = compileWhere(text, stream);
  parked.keepOnly(({ body }) => body === '' || isSatisfied(where, body, stream));
  await recheckParked({ consumerId, store, parked, turn: conditions.turn, most: ASKED });
}

function headRequest({ context, sender, config }: AttemptScene, rows: ParkedHead[]): HeadRequest {
  const { stream, filters, ordering } = config;
  const { position, ahead } = sender.progress(); // a probe may have settled an entry since
  const parked = new Set(ordering === 'record' ? rows.map(recordOfRow) : []);
  return { pages: context.pages, stream, filters, position, ahead, parked };
}

async function tryHead(
  scene: AttemptScene,
  request: HeadRequest,
  head: Entry,
): Promise<LookResult> {
  const { config } = scene;
  const attempt = await attemptNumber(scene, head);
  const tried = await sendInForce(scene, head, attempt);
  if (tried === null) return 'again';
  const failed = await failureOf(scene, tried);
  if (failed === null) return delivered(scene, tried);
  if (isOfBody(failed) && config.ordering !== 'stream') {
    await park(scene, head, tried, failed);
    return 'unmade';
  }
  if (!mayBeMessage(failed) || config.ordering === 'stream') return endFailed(scene, tried, failed);
  const probe = await probeEndpoint(scene, request, head, tried);
  if (probe.said === 'again') return 'again';
  if (probe.said === 'takes') return decide(scene, head, attempt + 1);
  return endFailed(scene, tried, failed, probe.said === 'fails' ? probe.failed : null);
}

/** Tries a head once more whose endpoint accepts entries of other records, and parks it if it fails again. */
async function decide(scene: AttemptScene, head: Entry, attempt: number): Promise<LookResult> {
  const { context, sender, config } = scene;
  // On the records stream a newer version may have been stored meanwhile.
  if ((await context.pages.entryAt(config.stream, head.position)) === null) return 'again';
  const tried = await sendInForce(scene, head, attempt);
  if (tried === null) return 'again';
  const failed = await failureOf(scene, tried);
  if (failed === null) return delivered(scene, tried);
  if (!mayBeMessage(failed)) return endFailed(scene, tried, failed);
  await park(scene, head, tried, failed);
  await sender.release(null, config);
  return 'parked';
}

/** Parks the head, and stores that with its attempt. */
async function park(scene: AttemptScene, head: Entry, tried: Tried, failed: Failed): Promise<void> {
  const { sender, config, parkedEntries } = scene;
  parkedEntries.park(head, recordOf(head), tried.ended.attempt, failed);
  sender.note(config, tried, null);
  sender.settle(head.position);
  await sender.commit(parkedEntries);
}

async function delivered({ sender, config }: AttemptScene, tried: Tried): Promise<'delivered'> {
  sender.note(config, tried, null);
  sender.settle(tried.ended.position);
  await sender.commit(null);
  await sender.release(null, config);
  return 'delivered';
}
