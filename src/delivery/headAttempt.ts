import { findHead, type HeadRequest } from '../failure/headSearch.ts';
import { createParkedEntries } from '../failure/parkedEntries.ts';
import { recordOfRow, type ParkedRow } from '../progress/parkedRows.ts';
import { recordOf } from '../rules/ordering.ts';
import { mayBeMessage } from '../rules/outcome.ts';
import type { Entry } from '../streams/entry.ts';
import {
  attemptNumber,
  endFailed,
  failureOf,
  isInForce,
  LOOKS,
  type AttemptScene,
  type AttemptSchedule,
  type FailedHead,
} from './attemptScene.ts';
import type { DrainContext } from './drainContext.ts';
import { tryParked } from './parkedAttempt.ts';
import { probeEndpoint } from './probe.ts';
import { ownClock, type SenderConfig } from './senderConfig.ts';
import {
  openSingleSender,
  type OpenSingle,
  type SingleSender,
  type Tried,
} from './singleSender.ts';

export interface HeadAttempt {
  consumerId: string;
  context: Pick<
    DrainContext,
    'pages' | 'progress' | 'parked' | 'committer' | 'loadConfig' | 'retryWindowMs' | 'log'
  >;
  /** Names this process in the cursor. */
  holder: string;
  openSingle: OpenSingle;
  /** A command given to a blocked consumer is answered this long after it was stored, ms. */
  sendWithinMs: number;
  schedule: AttemptSchedule;
  /** The window that a retry was planned with; undefined: not known. */
  windowMs: number | undefined;
}

/**
 * What came of an attempt. `delivered`: the endpoint took an entry. `clear`: nothing is left to try.
 * `parked`: the endpoint takes others, so it was the message. `changed`: the consumer is not blocked
 * any more, or its window is another one. `gone`: the endpoint answered 410.
 */
export type HeadResult =
  | { outcome: 'delivered' | 'parked' | 'clear' | 'changed' | 'gone'; position: number }
  | FailedHead;

/** How one look at the consumer ended; `again`: it has changed, and is looked up once more. */
type LookResult = 'delivered' | 'parked' | 'clear' | 'gone' | 'again' | FailedHead;

/**
 * Makes one attempt at the head of a blocked consumer, as its only sender. Where the endpoint
 * answers, an entry of another record is tried too, which tells a poisoned message from a failing
 * endpoint. A failure of the endpoint is a result; rejects only for our own trouble.
 */
export async function attemptHead(options: HeadAttempt): Promise<HeadResult> {
  if (isOutdated(options)) return { outcome: 'changed', position: 0 };
  const { consumerId, context, holder, openSingle, schedule } = options;
  const { progress, committer } = context;
  const { cancelled } = schedule;
  const sender = await openSingleSender({
    consumerId,
    holder,
    progress,
    committer,
    openSingle,
    cancelled,
  });
  if (sender === null) return { outcome: 'changed', position: 0 };
  const { position } = sender.lease;
  for (let looks = 0; looks < LOOKS; looks += 1) {
    const config = cancelled.aborted ? null : await loadBlocked(context, consumerId);
    if (config === null) {
      await sender.release('keep', null);
      return { outcome: 'changed', position };
    }
    const result = await attemptOnce(options, sender, config);
    if (typeof result === 'object') return result;
    if (result !== 'again') return { outcome: result, position };
  }
  await sender.release('keep', null);
  throw new Error('the consumer changes too often to be tried');
}

/**
 * Whether it was planned by a window that is not in force here. The first attempt is made
 * nevertheless: workers that differ would send the workflow to and fro.
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
  return config === null || config.deleted || config.status !== 'blocked' ? null : config;
}

async function attemptOnce(
  { context, schedule, sendWithinMs }: HeadAttempt,
  sender: SingleSender,
  config: SenderConfig,
): Promise<LookResult> {
  const rows = await context.parked.rows(config.consumerId);
  const { nowMs } = schedule;
  const parkedEntries = createParkedEntries({
    windowMs: context.retryWindowMs,
    clock: () => ownClock(config, nowMs()),
    nowMs,
    rows,
    total: sender.lease.parkedTotal,
  });
  const scene = { context, schedule, sender, config, parkedEntries, sendWithinMs };
  const request = headRequest(scene, rows);
  // What does not pass is left to the drain: a version that comes meanwhile may let it pass.
  const head = await findHead(request);
  return head === null ? tryParked(scene) : tryHead(scene, request, head);
}

function headRequest({ context, sender, config }: AttemptScene, rows: ParkedRow[]): HeadRequest {
  const { stream, filters, ordering } = config;
  const { position, ahead } = sender.progress(); // a probe may have settled one since
  const parked = new Set(ordering === 'record' ? rows.map(recordOfRow) : []);
  return { pages: context.pages, stream, filters, position, ahead, parked };
}

async function tryHead(
  scene: AttemptScene,
  request: HeadRequest,
  head: Entry,
): Promise<LookResult> {
  const { config, sender } = scene;
  const attempt = await attemptNumber(scene, head);
  if (!(await isInForce(scene))) return 'again';
  const tried = await sender.send(config, head, attempt);
  const failed = await failureOf(scene, tried);
  if (failed === null) return delivered(scene, tried);
  if (!mayBeMessage(failed) || config.ordering === 'stream') return endFailed(scene, tried, failed);
  const probe = await probeEndpoint(scene, request, head, tried);
  if (probe.said === 'again') return 'again';
  if (probe.said === 'takes') return decide(scene, head, attempt + 1);
  return endFailed(scene, tried, failed, probe.said === 'fails' ? probe.failed : null);
}

/** The endpoint takes other records' entries: the head is tried once more, and then parked. */
async function decide(scene: AttemptScene, head: Entry, attempt: number): Promise<LookResult> {
  const { context, sender, config, parkedEntries } = scene;
  // On the records stream it may have moved meanwhile.
  if ((await context.pages.entryAt(config.stream, head.position)) === null) return 'again';
  if (!(await isInForce(scene))) return 'again';
  const tried = await sender.send(config, head, attempt);
  const failed = await failureOf(scene, tried);
  if (failed === null) return delivered(scene, tried);
  if (!mayBeMessage(failed)) return endFailed(scene, tried, failed);
  parkedEntries.park(head, recordOf(head), attempt, failed);
  sender.note(config, tried, null);
  sender.settle(head.position);
  await sender.commit(parkedEntries);
  await sender.release(null, config);
  return 'parked';
}

async function delivered({ sender, config }: AttemptScene, tried: Tried): Promise<'delivered'> {
  sender.note(config, tried, null);
  sender.settle(tried.ended.position);
  await sender.commit(null);
  await sender.release(null, config);
  return 'delivered';
}
