import type { ConsumerBody } from '../schema/body.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Message } from './webhookSender.ts';

/** An entry's own body is its element between these two. */
const OWN: Record<StreamName, { open: string; close: string }> = {
  events: { open: '{"event":', close: '}' },
  records: { open: '{"record":', close: '}' },
};
const SHARED: Record<StreamName, { open: string; close: string }> = {
  events: { open: '{"events":[', close: ']}' },
  records: { open: '{"records":[', close: ']}' },
};

/**
 * Returns the function that makes the body of a request of a consumer with batches: the entries of the message in order,
 * each spliced from its own body, also when there is only one. A CloudEvent, and the result of an expression, are
 * elements as they are.
 */
export function batchBody(
  stream: StreamName,
  mode: ConsumerBody['mode'] = 'full',
): (message: Pick<Message, 'body' | 'bodies'>) => Buffer {
  const { open, close } = SHARED[stream];
  const isElement = mode === 'cloudevents' || mode === 'map';
  const element = isElement ? (one: string) => one : (one: string) => elementOf(stream, one);
  return ({ body, bodies = [body] }) =>
    Buffer.from(`${open}${bodies.map(element).join(',')}${close}`);
}

/** The element that stands for an entry in a batch: what its own body has around it is left out. */
export function elementOf(stream: StreamName, body: string): string {
  const { open, close } = OWN[stream];
  return body.slice(open.length, -close.length);
}

/** How many bytes of a batch are not its elements and the commas between them. */
export function envelopeBytes(stream: StreamName): number {
  return SHARED[stream].open.length + SHARED[stream].close.length;
}

/** How many bytes the element of an entry has, of whose own body there are `bytes`. */
export function elementBytes(stream: StreamName, bytes: number): number {
  return bytes - OWN[stream].open.length - OWN[stream].close.length;
}
