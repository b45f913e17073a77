import { bodyOfBatch, elementOf, envelopeBytes } from '../rules/envelope.ts';
import type { ConsumerBody } from '../schema/body.ts';
import type { StreamName } from '../schema/stream.ts';
import type { BatchSize } from './shaping.ts';
import type { Message } from './webhookSender.ts';

/**
 * Returns the function that makes the body of a request of a consumer with batches: the entries of the message in order,
 * each spliced from its own body, also when there is only one. A CloudEvent, and the result of an expression, are
 * elements as they are.
 */
export function batchBody(
  stream: StreamName,
  mode: ConsumerBody['mode'] = 'full',
): (message: Pick<Message, 'body' | 'bodies'>) => Buffer {
  const element = elementBy(stream, mode);
  return ({ body, bodies = [body] }) => Buffer.from(bodyOfBatch(stream, bodies.map(element)));
}

/** The size of bodies of several entries, of at most so many bytes. */
export function batchSize(stream: StreamName, mode: ConsumerBody['mode'], most: number): BatchSize {
  const element = elementBy(stream, mode);
  return {
    most,
    empty: envelopeBytes(stream) - 1,
    ofElement: (body) => Buffer.byteLength(element(body)) + 1,
  };
}

function elementBy(stream: StreamName, mode: ConsumerBody['mode']): (body: string) => string {
  const isElement = mode === 'cloudevents' || mode === 'map';
  return isElement ? (body) => body : (body) => elementOf(stream, body);
}
