import { bodyOfBatch, elementOf, envelopeBytes } from '../rules/envelope.ts';
import type { ConsumerBody } from '../schema/body.ts';
import type { StreamName } from '../schema/stream.ts';
import type { BatchSize } from './shaping.ts';
import type { Message } from './webhookSender.ts';

/**
 * Returns the function that makes the body of a request of a consumer with batches: the entries of the message in order,
 * each spliced from its own body, also when there is only one.
 */
export function batchBody(
  stream: StreamName,
  mode: ConsumerBody['mode'] = 'full',
): (message: Pick<Message, 'body' | 'bodies'>) => Buffer {
  const element = (one: string): string => elementOf(stream, one, mode);
  return ({ body, bodies = [body] }) => Buffer.from(bodyOfBatch(stream, bodies.map(element)));
}

/** The size of bodies of several entries, of at most so many bytes. */
export function batchSize(stream: StreamName, mode: ConsumerBody['mode'], most: number): BatchSize {
  return {
    most,
    empty: envelopeBytes(stream) - 1,
    ofElement: (body) => Buffer.byteLength(elementOf(stream, body, mode)) + 1,
  };
}
