import { bodyOfBatch, elementOf } from '../rules/envelope.ts';
import type { ConsumerBody } from '../schema/body.ts';
import type { StreamName } from '../schema/stream.ts';
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
  const isElement = mode === 'cloudevents' || mode === 'map';
  const element = isElement ? (one: string) => one : (one: string) => elementOf(stream, one);
  return ({ body, bodies = [body] }) => Buffer.from(bodyOfBatch(stream, bodies.map(element)));
}
