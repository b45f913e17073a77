import type { AttemptTrace } from '../schema/attemptTrace.ts';
import type { CannotStart } from './startFault.ts';

/** Why an attempt failed, by the names of the API. */
export type ErrorCode =
  | 'CONNECTION_REFUSED'
  | 'CONNECTION_RESET'
  | 'DNS_FAILED'
  | 'TIMEOUT'
  | 'TLS_FAILED'
  | 'PROTOCOL_ERROR'
  | 'BODY_FAILED'
  | 'ADDRESS_REFUSED'
  | 'CREDENTIALS_FAILED'
  | 'REDIRECT'
  | 'HTTP_4XX'
  | 'HTTP_5XX'
  | 'THROTTLED'
  | 'GONE';

/**
 * How far an attempt without a status came: `connect` means that no byte of the request was written, so that
 * its message can't be the reason; `answer` means that the endpoint may have read the request.
 */
export type Phase = 'connect' | 'answer';

/**
 * The outcome of one attempt. `ours` is a fault on Millrace's side: it blames no endpoint and begins no retry
 * window.
 */
export type Outcome =
  | {
      kind: 'delivered';
      status: number;
      /** The first 2 KB of the answer's body; null unless the sender keeps it. */
      responseHead: string | null;
      /** What was sent and how long each step took, where that is kept. */
      trace?: AttemptTrace;
    }
  | {
      kind: 'failed';
      code: ErrorCode;
      status: number | null;
      /** A phrase for people, without secrets and without data of the entry. */
      detail: string;
      /** The first 2 KB of the answer's body. */
      responseHead: string | null;
      /** The header as it came. */
      retryAfter: string | undefined;
      /** Given for failures without a status that a network error or a timeout has caused. */
      phase?: Phase;
      /** What was sent and how long each step took; added as the attempt ends. */
      trace?: AttemptTrace;
    }
  | {
      kind: 'ours';
      detail: string;
      /** Given for a fault that does not pass by itself: consumers that have it can't send. */
      lasting?: CannotStart['code'];
      /** The trace of an attempt with a lasting fault, if it was to be traced. */
      trace?: AttemptTrace;
    };

/** The error code for an HTTP status; null for success. 3xx is a failure, because redirects are never followed. */
export function codeOfStatus(status: number): ErrorCode | null {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400) return 'REDIRECT';
  if (status === 410) return 'GONE';
  if (status === 429) return 'THROTTLED';
  return status < 500 ? 'HTTP_4XX' : 'HTTP_5XX';
}

/** The outcome of an attempt that failed without an answer. */
export function failed(
  code: ErrorCode,
  detail: string,
  phase?: Phase,
): Outcome & { kind: 'failed' } {
  const none = { status: null, responseHead: null, retryAfter: undefined };
  return { kind: 'failed', code, detail, ...none, ...(phase === undefined ? {} : { phase }) };
}

/** The outcome of an attempt that failed at the endpoint. */
export type Failed = Outcome & { kind: 'failed' };

/** The outcome of an attempt that succeeded. */
export type Delivered = Outcome & { kind: 'delivered' };

/** The outcome of an attempt that failed because of a fault on Millrace's side. */
export type Ours = Outcome & { kind: 'ours' };

/**
 * What a failure is blamed on: the `endpoint` immediately (it can't be reached, is overloaded, or asks
 * to wait), perhaps the `message` (any other answer, one that can't be read, or none to a request
 * that was sent), or the endpoint for good (`gone`).
 */
export type Blame = 'endpoint' | 'message' | 'gone';

/** The parts of a failure that distinguish kinds. */
type FailureKind = Pick<Failed, 'code' | 'status' | 'phase'>;

const OVERLOADED = new Set([429, 502, 503, 504]);

/** What a failed attempt is blamed on, judged by itself. */
export function blameOf(failure: Failed): Blame {
  const { code, status, retryAfter } = failure;
  if (code === 'GONE') return 'gone';
  if (status === null) return mayBeMessage(failure) ? 'message' : 'endpoint';
  return OVERLOADED.has(status) || retryAfter !== undefined ? 'endpoint' : 'message';
}

/**
 * Whether a request was sent and got no answer: it timed out or its connection was lost. A message that
 * makes the endpoint hang or crash does this, and so does an endpoint that is down.
 */
export function isUnanswered({ code, status, phase }: FailureKind): boolean {
  if (status !== null || phase === 'connect') return false;
  return code === 'TIMEOUT' || code === 'CONNECTION_RESET';
}

/**
 * Whether this message alone might cause the failure. That includes 502, 503 and 504, which a gateway
 * also answers when the message has brought down the backend.
 */
export function mayBeMessage(failure: Failed): boolean {
  const { status, code, retryAfter } = failure;
  if (status === null)
    return code === 'PROTOCOL_ERROR' || isOfBody(failure) || isUnanswered(failure);
  return code !== 'GONE' && code !== 'THROTTLED' && retryAfter === undefined;
}

/** Whether nothing was sent because no body could be made of the entry, which only its own data explains. */
export function isOfBody({ code }: Pick<Failure, 'code'>): boolean {
  return code === 'BODY_FAILED';
}

const OF_ENDPOINT = new Set<ErrorCode>([
  'CONNECTION_REFUSED',
  'DNS_FAILED',
  'TLS_FAILED',
  'ADDRESS_REFUSED',
  'CREDENTIALS_FAILED',
  'THROTTLED',
]);

/**
 * Whether a stored failure certainly says nothing about the message: no byte of the request was sent, or the
 * endpoint asked to wait.
 */
export function isOfEndpoint({ code }: Pick<Failure, 'code'>): boolean {
  return OF_ENDPOINT.has(code);
}

const UNREACHABLE = new Set<ErrorCode>(['CONNECTION_REFUSED', 'DNS_FAILED', 'TIMEOUT']);

/** Whether a stored failure, which no message can have caused, means that the endpoint could not be reached at all. */
export function isUnreachable({ code, status }: Pick<Failure, 'code' | 'status'>): boolean {
  return status === null && UNREACHABLE.has(code);
}

/** Whether two failures are of the same kind: the same status or code, or no answer to either. */
export function isSameFailure(before: FailureKind, now: FailureKind): boolean {
  if (now.status !== null) return before.status === now.status;
  return before.code === now.code || (isUnanswered(before) && isUnanswered(now));
}

/** Whether a failure suggests that the endpoint needs fewer concurrent requests. */
export function isOverload({ code, status }: Failed): boolean {
  return code === 'TIMEOUT' || status === 429 || status === 503;
}

/** The last failure, as people see it. */
export interface Failure {
  code: ErrorCode;
  status: number | null;
  detail: string;
  at: string;
  /**
   * The time of the first failure in the present row of failures with this code and status; added when it is
   * stored.
   */
  since?: string;
  /** The answer that came late, if one has been noted. */
  late?: StoredLate;
}

/** An answer that came after its request had ended as a timeout. */
export interface LateAnswer {
  status: number;
  /** Since the start of the request. */
  afterMs: number;
}

/** A late answer as a failure stores it, with the version of the target that gave it. */
export interface StoredLate {
  status: number;
  after_ms: number;
  target: string;
}
