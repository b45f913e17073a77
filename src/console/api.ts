import { ClientError, createClient } from '../api/client.ts';
import type { Scope } from '../apiKey.ts';

export { ClientError };
export type { Attempt } from '../attempt.ts';

/** The session's cookie says who we are. */
const withCookie: typeof fetch = (input, init) =>
  fetch(input, { ...init, credentials: 'same-origin' });

/** Keeps each digit: a number that a double cannot hold comes as its text. */
function parseKeepingDigits(text: string): unknown {
  return JSON.parse(text, ((_key: string, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' && context?.source !== undefined && !isExact(value, context.source)
      ? context.source
      : value) as (key: string, value: unknown) => unknown);
}

function isExact(value: number, source: string): boolean {
  return !/^-?\d{16,}$/u.test(source) || String(value) === source;
}

/** The management API as the page sees it. */
export const api = createClient({
  url: '',
  apiKey: null,
  fetch: withCookie,
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
  data: MetricsPoint[];
}

/** What a failed request tells a person: the problem's words. */
export function messageOf(error: unknown): string {
  if (!(error instanceof ClientError))
    return error instanceof Error ? error.message : String(error);
  const fields = (error.problem.errors ?? []).map(({ pointer, detail }) => `${pointer} ${detail}`);
  const words = fields.length > 0 ? fields.join('; ') : error.detail;
  return error.status === 0 ? 'Millrace does not answer. It is tried again by itself.' : words;
}
