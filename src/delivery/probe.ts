import { findProbe, type HeadRequest } from '../failure/headSearch.ts';
import type { ParkedEntry } from '../failure/parkedEntry.ts';
import { recordOf } from '../rules/ordering.ts';
import { isOfBody, type Failed } from '../rules/outcome.ts';
import type { Entry } from '../streams/entry.ts';
import { attemptNumber, failureOf, sendInForce, type AttemptScene } from './attemptScene.ts';
import { sendParked, storeParked } from './parkedAttempt.ts';
import type { Tried } from './singleSender.ts';

/** Up to so many parked entries take turns as probes. */
const PARKED_TURNS = 16;

/**
 * The result of a probe. `takes`: the endpoint accepts an entry of another record. `fails`: that entry fails as
 * well. `nothing`: no other record waits, nothing could be sent of it, a parked entry failed as it did before, or the
 * attempt was cancelled.
 * `again`: the consumer has changed meanwhile, so it has to be looked up once more.
 */
export type Probe = { said: 'takes' | 'nothing' | 'again' } | { said: 'fails'; failed: Failed };

/**
 * Probes an endpoint at which the head has failed with an entry of another record, which tells a poisoned
 * message from a failing endpoint: one that waits in the stream or a parked one, in turns. A success is stored,
 * together with the head's failure.
 */
export async function probeEndpoint(
  scene: AttemptScene,
  request: HeadRequest,
  head: Entry,
  tried: Tried,
): Promise<Probe> {
  const { context, schedule, sender, config } = scene;
  // Parked entries take every other turn, because entries that wait in the stream may be poisoned as well.
  const { tries } = sender.lease;
  const parked = parkedForProbe(scene, head);
  if (parked !== null && tries % 2 === 1) return probeParked(scene, parked, tried);
  const turn = parked === null ? tries : Math.floor(tries / 2);
  const entry = await findProbe(request, head, turn);
  if (entry === null) {
    return parked === null ? { said: 'nothing' } : probeParked(scene, parked, tried);
  }
  const attempt = await attemptNumber(scene, entry);
  const probed = await sendInForce(scene, entry, attempt);
  if (probed === null) {
    if (schedule.cancelled.aborted) return { said: 'nothing' }; // the head has failed all the same
    sender.note(config, tried, null);
    await sender.commit(null);
    return { said: 'again' };
  }
  const failed = await failureOf(scene, probed);
  sender.note(config, probed, null);
  if (failed !== null) return isOfBody(failed) ? { said: 'nothing' } : { said: 'fails', failed };
  sender.note(config, tried, null);
  sender.settle(entry.position);
  await sender.commit(null);
  const { position } = entry;
  context.log.info({ consumer_id: config.consumerId, position }, 'a probe succeeded');
  return { said: 'takes' };
}

/** Probes the endpoint with a parked entry, each attempt with another one. */
async function probeParked(scene: AttemptScene, parked: ParkedEntry, tried: Tried): Promise<Probe> {
  const { context, schedule, sender, config } = scene;
  const sent = await sendParked(scene, parked);
  if (sent === 'again') {
    if (schedule.cancelled.aborted) return { said: 'nothing' }; // the head has failed all the same
    sender.note(config, tried, null);
    await sender.commit(null);
    return { said: 'again' };
  }
  sender.note(config, sent.tried, null);
  if (sent.failed === null) sender.note(config, tried, null);
  await storeParked(scene);
  if (sent.failed !== null) {
    return sent.own ? { said: 'nothing' } : { said: 'fails', failed: sent.failed };
  }
  const { position } = parked.entry;
  context.log.info({ consumer_id: config.consumerId, position }, 'a parked entry was delivered');
  return { said: 'takes' };
}

/** Hands out a parked entry of another record than the head's; null when there is none. */
function parkedForProbe({ parkedEntries, sender }: AttemptScene, head: Entry): ParkedEntry | null {
  const others: ParkedEntry[] = [];
  while (others.length < PARKED_TURNS) {
    const parked = parkedEntries.first();
    if (parked === null) break;
    if (parked.record !== recordOf(head)) others.push(parked);
  }
  return others[Math.floor(sender.lease.tries / 2) % Math.max(1, others.length)] ?? null;
}
