import type { ConsumerBody } from '../schema/body.ts';
import type { StreamName } from '../schema/stream.ts';

/** What a full body has around an entry, which is its element: alone, and with others. */
const ALONE: Record<StreamName, { open: string; close: string }> = {
  events: { open: '{"event":', close: '}' },
  records: { open: '{"record":', close: '}' },
};
const BATCH: Record<StreamName, { open: string; close: string }> = {
  events: { open: '{"events":[', close: ']}' },
  records: { open: '{"records":[', close: ']}' },
};

/** The body of a request for one entry whose consumer sends no batches. */
export function bodyAlone(stream: StreamName, element: string): string {
  return ALONE[stream].open + element + ALONE[stream].close;
}

/** The body of a request of a consumer with batches, also when it has only one element. */
export function bodyOfBatch(stream: StreamName, elements: readonly string[]): string {
  return BATCH[stream].open + elements.join(',') + BATCH[stream].close;
}

/**
 * The element that stands for an entry in a batch: what its own body has around it is left out. A CloudEvent, and the result
 * of an expression, are elements as they are.
 */
export function elementOf(stream: StreamName, body: string, mode: ConsumerBody['mode']): string {
  if (mode === 'cloudevents' || mode === 'map') return body;
  const { open, close } = ALONE[stream];
  return body.slice(open.length, -close.length);
}

/** How many bytes of a batch are not its elements and the commas between them. */
export function envelopeBytes(stream: StreamName): number {
  return BATCH[stream].open.length + BATCH[stream].close.length;
}

/** How many bytes the element of an entry has, of whose own body there are `bytes`. */
export function elementBytes(stream: StreamName, bytes: number): number {
  return bytes - ALONE[stream].open.length - ALONE[stream].close.length;
}
