import { errors } from 'undici';

import { type ErrorCode, type Outcome, type Phase, failed } from '../rules/outcome.ts';
import { codeOf, isOurs } from './errorCode.ts';
import { RequestLost } from './requestLost.ts';
import { whyTlsFailed } from './tlsError.ts';
import type { Unreadable } from './wire.ts';

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
export function outcomeOfError(error: unknown, phase = phaseOf(error)): Outcome {
  const code = codeOf(error);
  if (isOurs(code)) return { kind: 'ours', detail: code };
  if (code === 'PROXY_AWAY') {
    return { kind: 'ours', detail: messageOf(error), lasting: 'proxy_unreachable' };
  }
  const known = BY_CODE[code];
  if (known !== undefined) return failed(known[0], known[1], phase);
  const unreadable = whyUnreadable(code, error);
  if (unreadable !== null) return failed('PROTOCOL_ERROR', unreadable, phase);
  const tls = whyTlsFailed(code);
  if (tls !== null) return failed('TLS_FAILED', tls, phase);
  if (code === 'PROXY_REFUSED') return failed('CONNECTION_REFUSED', messageOf(error), phase);
  const why = code === '' ? '' : ` (${code})`;
  return failed('CONNECTION_RESET', `connection lost ${whenLost(error, phase)}${why}`, phase);
}

function phaseOf(error: unknown): Phase {
  return error instanceof RequestLost && error.begun ? 'answer' : 'connect';
}

function whenLost(error: unknown, phase: Phase): string {
  if (phase === 'connect') return 'while connecting';
  return error instanceof RequestLost && error.answered ? 'within the answer' : 'before an answer';
}

/** Whether the answer breaks the rules of HTTP/1.1; headers that are too large do not. */
export function isUnreadable(error: unknown): boolean {
  const code = codeOf(error);
  return code !== TOO_LARGE && whyUnreadable(code, error) !== null;
}

const TOO_LARGE = 'UND_ERR_HEADERS_OVERFLOW';

const INVALID = 'the answer is not valid HTTP/1.1';
const UNREADABLE: Record<Unreadable['code'], string> = {
  TLS_BYTES: 'the server speaks TLS at this port: the URL has to begin with https://',
  HTTP2_BYTES:
    'the server speaks HTTP/2 only: it has to accept HTTP/1.1, which is what Millrace speaks',
  SWITCHED: 'the server switched protocols (HTTP 101) without being asked',
  INTERIM_FLOOD: 'the server sent more than 1 MB of interim answers (1xx) and no final one',
};

function whyUnreadable(code: string, error: unknown): string | null {
  const known = UNREADABLE[code as Unreadable['code']];
  if (known !== undefined) return known;
  if (code === TOO_LARGE) return 'the headers of the answer are too large';
  // The message of undici for any unreadable head that has stated a length.
  if (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') return `${INVALID}: unreadable headers`;
  const cause = error instanceof RequestLost ? error.cause : error;
  if (!(cause instanceof errors.HTTPParserError)) return null;
  const reason = /\(([^)]+)\)$/u.exec(cause.message)?.[1];
  return reason === undefined ? INVALID : `${INVALID}: ${reason}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : '';
}
