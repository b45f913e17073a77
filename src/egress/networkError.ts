import { type ErrorCode, type Outcome, type Phase, failed } from '../rules/outcome.ts';

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

/** The outcome of a request that ended without an answer; `phase` is how far it came. */
export function outcomeOfError(error: unknown, phase: Phase): Outcome {
  const code = codeOf(error);
  if (OURS.has(code)) return { kind: 'ours', detail: code };
  const known = BY_CODE[code];
  if (known !== undefined) return failed(known[0], known[1], phase);
  if (
    /TLS|SSL|CERT|EPROTO|SELF_SIGNED|UNABLE_TO|ALTNAME|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH/u.test(
      code,
    )
  ) {
    return failed('TLS_FAILED', `TLS failed: ${code}`, phase);
  }
  const when = phase === 'connect' ? 'while connecting' : 'before an answer';
  const why = code === '' ? '' : ` (${code})`;
  return failed('CONNECTION_RESET', `connection lost ${when}${why}`, phase);
}

/**
 * The error code of the system or of undici. When several addresses were tried, the first code that
 * says something of the endpoint counts: that this machine has no route to one of them does not.
 */
export function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    const codes = error.errors.map((one) => codeOf(one));
    return codes.find((code) => code !== '' && !OURS.has(code)) ?? codes[0] ?? '';
  }
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string') return code;
  const cause = (error as { cause?: unknown } | null)?.cause;
  return cause === undefined ? '' : codeOf(cause);
}
