import type { BodyShape } from '../rules/bodyShape.ts';
import { newTraceparent } from './traceparent.ts';

/** What is the same in all requests of a sender. */
export interface Fixed {
  contentType: BodyShape['contentType'];
  userAgent: string;
  consumerId: string;
  /** Headers of the target, credentials included, as a flat list. */
  headers: readonly string[];
}

/** The parts of a message that its headers name. */
interface Named {
  messageId: string;
  position: number;
  traceparent?: string | null;
}

/** Makes the headers of a request, as a flat list; `timestamp` is unix seconds. */
type HeadersFor = (
  message: Named,
  attempt: number,
  timestamp: number,
  signature: string,
) => string[];

/** Returns the function that makes the headers of the requests of a sender. */
export function headersOf(fixed: Fixed): HeadersFor {
  const same = [
    'content-type',
    fixed.contentType,
    'user-agent',
    fixed.userAgent,
    'millrace-consumer',
    fixed.consumerId,
    ...fixed.headers,
  ];
  return (message, attempt, timestamp, signature) => [
    ...same,
    'webhook-id',
    message.messageId,
    'webhook-timestamp',
    String(timestamp),
    'webhook-signature',
    signature,
    'millrace-position',
    String(message.position),
    'millrace-attempt',
    String(attempt),
    'traceparent',
    newTraceparent(message.traceparent),
  ];
}
