import { isItsOwn, type ParkedEntry } from '../failure/parkedEntry.ts';
import type { Failed } from '../rules/outcome.ts';
import {
  endFailed,
  failureOf,
  sendInForce,
  type AttemptScene,
  type FailedHead,
} from './attemptScene.ts';
import type { Tried } from './singleSender.ts';

/**
 * Tries the lowest parked entry of a blocked consumer that has nothing else to send. `clear`: nothing was left
 * to try, or the entry failed as it did when it was parked, which says nothing about the endpoint. `again`: the
 * entry need not be sent any more, or the consumer has changed.
 */
export async function tryParked(
  scene: AttemptScene,
): Promise<'delivered' | 'clear' | 'gone' | 'again' | FailedHead> {
  const { sender, config, parkedEntries } = scene;
  const parked = parkedEntries.first();
  if (parked === null) {
    await sender.commit(null);
    await sender.release(null, config);
    return 'clear';
  }
  const sent = await sendParked(scene, parked);
  if (sent === 'again') return 'again';
  const { tried, failed, own } = sent;
  if (failed !== null && !own) return endFailed(scene, tried, failed);
  sender.note(config, tried, null);
  await storeParked(scene);
  await sender.release(null, config);
  return failed === null ? 'delivered' : 'clear';
}

/** An attempt at a parked entry that has ended. */
export interface SentParked {
  tried: Tried;
  /** Null when the entry was delivered. */
  failed: Failed | null;
  /** Whether it failed as it did when it was parked. */
  own: boolean;
}

/**
 * Makes one attempt at a parked entry that was handed out; the caller notes and stores it. `again`: the
 * entry need not be sent any more, or the consumer has changed.
 */
export async function sendParked(
  scene: AttemptScene,
  parked: ParkedEntry,
): Promise<SentParked | 'again'> {
  const { context, sender, config, parkedEntries } = scene;
  const { position, messageId, traceparent } = parked.entry;
  const bodies = await context.parked.bodies(config.consumerId, [position], 1);
  if (!parkedEntries.load(parked, bodies.get(position) ?? undefined)) {
    await sender.commit(parkedEntries);
    return 'again';
  }
  const { body } = parked.entry;
  const message = { position, messageId, body, traceparent };
  const tried = await sendInForce(scene, message, parked.attempts + 1);
  if (tried === null) return 'again';
  const failed = await failureOf(scene, tried);
  const own = failed !== null && isItsOwn(parked, failed);
  // No entry becomes a dead letter while the consumer is not active.
  const about = { blame: own ? 'message' : 'endpoint', mayDie: false } as const;
  if (failed === null) parkedEntries.delivered(parked);
  else parkedEntries.failed(parked, failed, about);
  return { tried, failed, own };
}

/** Stores the noted attempts, and all changes of parked entries. */
export async function storeParked({ sender, parkedEntries }: AttemptScene): Promise<void> {
  do {
    await sender.commit(parkedEntries);
  } while (parkedEntries.unwritten);
}
