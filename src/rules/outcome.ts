/** Why an attempt failed, by the names of the API. */
export type ErrorCode =
  | 'CONNECTION_REFUSED'
  | 'CONNECTION_RESET'
  | 'DNS_FAILED'
  | 'TIMEOUT'
  | 'TLS_FAILED'
  | 'ADDRESS_REFUSED'
  | 'CREDENTIALS_FAILED'
  | 'REDIRECT'
  | 'HTTP_4XX'
  | 'HTTP_5XX'
  | 'THROTTLED'
  | 'GONE';

/** The outcome of one attempt. `ours` is a fault on our side: it blames no endpoint and starts no clock. */
export type Outcome =
  | {
      kind: 'delivered';
      status: number;
      /** The first 2 KB of the answer's body; null unless the sender keeps it. */
      responseHead: string | null;
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
    }
  | { kind: 'ours'; detail: string };

/** The error code for an HTTP status; null for success. 3xx is a failure: redirects are never followed. */
export function codeOfStatus(status: number): ErrorCode | null {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400) return 'REDIRECT';
  if (status === 410) return 'GONE';
  if (status === 429) return 'THROTTLED';
  return status < 500 ? 'HTTP_4XX' : 'HTTP_5XX';
}

/** The outcome of an attempt that failed without an answer. */
export function failed(code: ErrorCode, detail: string): Outcome & { kind: 'failed' } {
  return { kind: 'failed', code, status: null, detail, responseHead: null, retryAfter: undefined };
}

/** The outcome of an attempt that failed at the endpoint. */
export type Failed = Outcome & { kind: 'failed' };

/**
 * What a failure is blamed on: the `endpoint` immediately (it can't be reached, is overloaded, or asks
 * to wait), perhaps the `message` (any other answer), or the endpoint for good (`gone`).
 */
export type Blame = 'endpoint' | 'message' | 'gone';

const OVERLOADED = new Set([429, 502, 503, 504]);

/** What a failed attempt is blamed on, judged by itself. */
export function blameOf({ code, status, retryAfter }: Failed): Blame {
  if (code === 'GONE') return 'gone';
  if (status === null || OVERLOADED.has(status) || retryAfter !== undefined) return 'endpoint';
  return 'message';
}

/**
 * Whether this message alone might cause the failure. That includes 502, 503 and 504, which a gateway
 * also answers when the message has brought down the backend.
 */
export function mayBeMessage({ status, code, retryAfter }: Failed): boolean {
  return status !== null && code !== 'GONE' && code !== 'THROTTLED' && retryAfter === undefined;
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
  /** The answer that came late, where it is known that one comes. */
  late?: StoredLate;
}

/** An answer that came after its request had ended as a timeout. */
export interface LateAnswer {
  status: number;
  /** Since the start of the request. */
  afterMs: number;
}

/** A late answer as a failure keeps it, with the version of the target that gave it. */
export interface StoredLate {
  status: number;
  after_ms: number;
  target: string;
}
