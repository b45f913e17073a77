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

/** What came of one attempt. `ours` is a fault of this machine: it blames no endpoint and starts no clock. */
export type Outcome =
  | {
      kind: 'delivered';
      status: number;
      /** Null unless the sender keeps it. */
      responseHead: string | null;
    }
  | {
      kind: 'failed';
      code: ErrorCode;
      status: number | null;
      /** One sentence for people; no secret, no entry data. */
      detail: string;
      /** First 2 KB of the answer's body. */
      responseHead: string | null;
      retryAfter: string | undefined;
    }
  | { kind: 'ours'; detail: string };

/** The name of a failing HTTP status; null for success. 3xx is a failure: redirects are never followed. */
export function codeOfStatus(status: number): ErrorCode | null {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400) return 'REDIRECT';
  if (status === 410) return 'GONE';
  if (status === 429) return 'THROTTLED';
  return status < 500 ? 'HTTP_4XX' : 'HTTP_5XX';
}

export function failed(code: ErrorCode, detail: string): Outcome & { kind: 'failed' } {
  return { kind: 'failed', code, status: null, detail, responseHead: null, retryAfter: undefined };
}

export type Failed = Outcome & { kind: 'failed' };

/**
 * Whom a failure speaks of: the `endpoint` at once (it can't be reached, is overloaded, or asks to
 * wait), the `message` perhaps (any other answer), or the endpoint for good (`gone`).
 */
export type Blame = 'endpoint' | 'message' | 'gone';

const OVERLOADED = new Set([429, 502, 503, 504]);

export function blameOf({ code, status, retryAfter }: Failed): Blame {
  if (code === 'GONE') return 'gone';
  if (status === null || OVERLOADED.has(status) || retryAfter !== undefined) return 'endpoint';
  return 'message';
}

/**
 * Whether one message alone may be what makes an endpoint answer so: a gateway says 502 or 504 of a
 * backend that this message has brought down, too.
 */
export function mayBeMessage({ status, code, retryAfter }: Failed): boolean {
  return status !== null && code !== 'GONE' && code !== 'THROTTLED' && retryAfter === undefined;
}

/** Whether a failure says that fewer requests at a time would do better. */
export function isOverload({ code, status }: Failed): boolean {
  return code === 'TIMEOUT' || status === 429 || status === 503;
}

/** What people see of the last failure. */
export interface Failure {
  code: ErrorCode;
  status: number | null;
  detail: string;
  at: string;
}
