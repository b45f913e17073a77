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

const OURS = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'ENETUNREACH']);

const BY_CODE: Record<string, [ErrorCode, string]> = {
  ECONNREFUSED: ['CONNECTION_REFUSED', 'connection refused'],
  EHOSTUNREACH: ['CONNECTION_REFUSED', 'host unreachable'],
  EHOSTDOWN: ['CONNECTION_REFUSED', 'host is down'],
  ENOTFOUND: ['DNS_FAILED', 'host name not found'],
  EAI_AGAIN: ['DNS_FAILED', 'host name could not be looked up'],
  ETIMEDOUT: ['TIMEOUT', 'connecting took too long'],
  UND_ERR_CONNECT_TIMEOUT: ['TIMEOUT', 'connecting took too long'],
  ADDRESS_REFUSED: [
    'ADDRESS_REFUSED',
    'the host is not at a public address, nor at one that MILLRACE_ALLOW_CIDRS names',
  ],
};

/** The outcome of a request that ended without an answer. */
export function outcomeOfError(error: unknown): Outcome {
  const code = codeOf(error);
  if (OURS.has(code)) return { kind: 'ours', detail: code };
  const known = BY_CODE[code];
  if (known !== undefined) return failed(known[0], known[1]);
  if (
    /TLS|SSL|CERT|EPROTO|SELF_SIGNED|UNABLE_TO|ALTNAME|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH/u.test(
      code,
    )
  ) {
    return failed('TLS_FAILED', `TLS failed: ${code}`);
  }
  return failed('CONNECTION_RESET', `connection lost before an answer${code ? ` (${code})` : ''}`);
}

export function failed(code: ErrorCode, detail: string): Outcome & { kind: 'failed' } {
  return { kind: 'failed', code, status: null, detail, responseHead: null, retryAfter: undefined };
}

/** As it was, but for secrets that the endpoint has repeated in what is kept of its answer. */
export function withoutSecrets(
  outcome: Outcome,
  secrets: readonly string[],
  token: string | null,
): Outcome {
  if (outcome.kind === 'ours' || outcome.responseHead === null) return outcome;
  let responseHead = outcome.responseHead;
  for (const secret of token === null ? secrets : [...secrets, token]) {
    // What is shorter says nothing by itself, and would be found everywhere.
    if (secret.length >= 4) responseHead = responseHead.replaceAll(secret, '••••');
  }
  return { ...outcome, responseHead };
}

/** The system's or undici's code; of several tried addresses the first one's. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string') return code;
  const cause = (error as { cause?: unknown } | null)?.cause;
  return cause === undefined ? '' : codeOf(cause);
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
