import { bodyAlone, bodyOfBatch } from '../../rules/envelope.ts';
import type { AttemptTrace } from '../../schema/attemptTrace.ts';
import type { Consumer } from '../../schema/consumer.ts';
import type { Attempt } from '../api.ts';

/**
 * The body that was sent in an attempt, byte for byte, made of the JSON of its entry; null where that can't be told: the
 * request carried several entries, or not the whole of this one. `trace`: says how long the body was.
 */
export function sentBody(
  text: string,
  attempt: Pick<Attempt, 'batch_size'>,
  { stream, body, batch }: Pick<Consumer, 'stream' | 'body' | 'batch'>,
  trace: Pick<AttemptTrace, 'request_bytes'> | null,
): string | null {
  if (attempt.batch_size > 1) return null;
  const alone = bodyAlone(stream, text);
  const inBatch = bodyOfBatch(stream, [text]);
  if (trace !== null) {
    // It may have been sent before the settings were changed.
    return [alone, inBatch].find((one) => bytesOf(one) === trace.request_bytes) ?? null;
  }
  if (body.mode !== 'full') return null;
  return batch === null ? alone : inBatch;
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}
