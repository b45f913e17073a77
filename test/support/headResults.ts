import type { FailedHead } from '../../src/delivery/attemptScene.ts';
import type { HeadResult } from '../../src/delivery/headAttempt.ts';
import { answer, type Respond, type TestReceiver } from './receiver.ts';

/** The endpoint answers an entry at a position so, others with 204. */
export function answerAt(statuses: Record<number, number>): Respond {
  return (one, response) => answer(statuses[one.position] ?? 204)(one, response);
}

/** Which entry was sent, and as which attempt, in the order they came in. */
export function sent({ received }: TestReceiver): string[] {
  return received.map(({ position, attempt }) => `${position}#${attempt}`);
}

/** The result of an attempt that has to have failed; throws for any other. */
export function failedHead(result: HeadResult): FailedHead {
  if (result.outcome !== 'failed') throw new Error(`it has not failed: ${result.outcome}`);
  return result;
}
