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

/** What differs from one request to the next. */
export interface OfAttempt {
  message: { messageId: string; position: number; traceparent?: string | null };
  attempt: number;
  /** Unix seconds. */
  timestamp: number;
  signature: string;
}

/** Returns the function that makes the headers of a request, as a flat list. */
export function headersOf(fixed: Fixed): (one: OfAttempt) => string[] {
  const same = [
    'content-type',
    fixed.contentType,
    'user-agent',
    fixed.userAgent,
    'millrace-consumer',
    fixed.consumerId,
    ...fixed.headers,
  ];
  return ({ message, attempt, timestamp, signature }) => [
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
