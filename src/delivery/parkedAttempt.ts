import { isSameAnswer } from '../failure/parkedEntry.ts';
import {
  endFailed,
  failureOf,
  isInForce,
  type AttemptScene,
  type FailedHead,
} from './attemptScene.ts';

/**
 * Tries the lowest parked entry of a blocked consumer that has nothing else to send. `clear`: nothing
 * was left to try, or the entry failed with the status for which it was parked, which is no evidence
 * about the endpoint. `again`: the entry need not be sent any more, or the consumer has changed.
 */
export async function tryParked(
  scene: AttemptScene,
): Promise<'delivered' | 'clear' | 'gone' | 'again' | FailedHead> {
  const { context, sender, config, parkedEntries } = scene;
  const parked = parkedEntries.first();
  if (parked === null) {
    await sender.commit(null);
    await sender.release(null, config);
    return 'clear';
  }
  const { position, messageId } = parked.entry;
  const bodies = await context.parked.bodies(config.consumerId, [position], 1);
  if (!parkedEntries.load(parked, bodies.get(position) ?? undefined)) {
    await sender.commit(parkedEntries);
    return 'again';
  }
  if (!(await isInForce(scene))) return 'again';
  const { body } = parked.entry;
  const tried = await sender.send(config, { position, messageId, body }, parked.attempts + 1);
  const failed = await failureOf(scene, tried);
  const isItsOwn = failed !== null && isSameAnswer(parked.failure, failed);
  if (failed === null) parkedEntries.delivered(parked);
  else parkedEntries.failed(parked, failed, false); // nothing dies while the consumer is not active
  if (failed !== null && !isItsOwn) return endFailed(scene, tried, failed);
  sender.note(config, tried, null);
  do {
    await sender.commit(parkedEntries);
  } while (parkedEntries.unwritten);
  await sender.release(null, config);
  return failed === null ? 'delivered' : 'clear';
}
