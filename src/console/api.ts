import { ClientError, createClient } from '../api/client.ts';
import type { Scope } from '../schema/apiKey.ts';
import { onceEach } from './once.ts';

export { ClientError };
export type { Attempt } from '../schema/attempt.ts';

/** Requests are authenticated by the session's cookie. */
const withCookie: typeof fetch = (input, init) =>
  fetch(input, { ...init, credentials: 'same-origin' });

/** Parses JSON so that no digit is lost: a number that a double cannot hold is kept as its text. */
function parseKeepingDigits(text: string): unknown {
  return JSON.parse(text, ((_key: string, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' && context?.source !== undefined && !isExact(value, context.source)
      ? context.source
      : value) as (key: string, value: unknown) => unknown);
}

function isExact(value: number, source: string): boolean {
  return !/^-?\d{16,}$/u.test(source) || String(value) === source;
}

/** `crypto.randomUUID` exists only where the page has come by HTTPS or from this machine. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The management API as the page sees it. */
export const api = createClient({
  url: '',
  apiKey: null,
  fetch: onceEach(withCookie, randomKey),
  parse: parseKeepingDigits,
});

export interface Session {
  name: string;
  scopes: Scope[];
  via: 'session' | 'key';
  expires_at: string | null;
}

export const session = {
  who: () => api.request<Session>('GET', '/v1/session'),
  signIn: (by: { api_key: string } | { token: string }) =>
    api.request<Session>('POST', '/v1/session', { body: by }),
  signOut: () => api.request<null>('DELETE', '/v1/session'),
};

export interface MetricsPoint {
  at: string;
  delivered: number;
  failed: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
  lag: number;
}
export interface Metrics {
  /** Seconds. */
  step: number;
  /** Of the whole range. */
  p50_ms: number | null;
  p95_ms: number | null;
  data: MetricsPoint[];
}

/** What a form calls the field at a pointer, as the beginning of a sentence; undefined for one that it has not. */
export type FieldName = (pointer: string) => string | undefined;

/** The words for people about a failed request, from the problem in its answer; fields have the names of the form, if it gives any. */
export function messageOf(error: unknown, nameOf?: FieldName): string {
  if (!(error instanceof ClientError))
    return error instanceof Error ? error.message : String(error);
  if (error.status === 0) return 'Millrace does not answer. Try again in a moment.';
  const fields = (error.problem.errors ?? []).map(({ pointer, detail, line, column }) => {
    const place = line === undefined ? '' : `, line ${line}, column ${column}:`;
    const name = nameOf?.(pointer) ?? pointer.slice(1).replaceAll('/', '.');
    return `${name}${place} ${plainly(detail)}`;
  });
  if (fields.length === 0) return error.detail;
  if (nameOf === undefined) return fields.join('; ');
  return fields.map((text) => text.replace(/\.?$/u, '.')).join(' ');
}

/** The address of the page that says what the code of a problem means; null for another error. */
export function pageAbout(error: unknown): string | null {
  const page = error instanceof ClientError ? (error.problem.docs ?? '') : '';
  return page.startsWith('/docs/') ? page : null;
}

/** Whether the requested thing does not exist, or no longer. */
export function isGone(error: unknown): boolean {
  return error instanceof ClientError && error.status === 404;
}

const PLAIN: [technical: RegExp, plain: string][] = [
  [/^Too small: expected string to have >=1 characters$/u, 'must not be empty'],
  [/^Too small: expected string to have >=(\d+) characters$/u, 'must have at least $1 characters'],
  [/^Too big: expected string to have <=(\d+) characters$/u, 'must have at most $1 characters'],
  [/^Too small: expected number to be >=(\d+)$/u, 'must be at least $1'],
  [/^Too big: expected number to be <=(\d+)$/u, 'must be at most $1'],
  [/^Invalid input: expected (number|int)\b.*$/u, 'must be a number'],
  [/^Invalid email address$/u, 'must be email addresses'],
];

/** The fault of a field, in words for the person who fills it in. */
export function plainly(detail: string): string {
  for (const [technical, plain] of PLAIN) {
    if (technical.test(detail)) return detail.replace(technical, plain);
  }
  return detail;
}
