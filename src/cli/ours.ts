import { ClientError } from '../api/client.ts';

const EVENTS = 'text/event-stream';
/** Statuses that a proxy in front of the API answers by itself; they say nothing about what is behind it. */
const PROXY = new Set([408, 413, 429, 500, 502, 503, 504]);

/**
 * `fetch` for an API that may be something else: rejects with a `ClientError` (status 0) for an answer that
 * Millrace cannot have given, so that the page of another program is not read as data.
 */
export const fetchOurs: typeof fetch = async (input, init) => {
  const response = await fetch(input, init);
  const accepted = new Headers(init?.headers).get('accept');
  if (isOurs(response, accepted === EVENTS)) return response;
  await response.body?.cancel();
  throw notOurs(new URL(response.url).origin);
};

/** The error for an address at which another program answers. */
export function notOurs(origin: string): ClientError {
  const detail = `${origin} answers, but is not Millrace`;
  return new ClientError(0, { detail, code: 'not_millrace' });
}

/** Whether the API at `url` identifies itself as Millrace; true while it does not answer. */
export async function isMillrace(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await fetch(`${url}/readyz`, { signal });
    const text = await response.text();
    if (PROXY.has(response.status) && !isJson(response)) return true;
    return isReadiness(text);
  } catch {
    return true; // it cannot be told
  }
}

/** Whether this is an answer of Millrace's `/readyz`, ready or not. */
export function isReadiness(text: string): boolean {
  try {
    const { status, type } = JSON.parse(text) as { status?: unknown; type?: unknown };
    return status === 'ready' || type === 'urn:millrace:problem:not_ready';
  } catch {
    return false;
  }
}

function isOurs(response: Response, isStream: boolean): boolean {
  const type = response.headers.get('content-type') ?? '';
  if (!response.ok)
    return PROXY.has(response.status) || type.startsWith('application/problem+json');
  if (!response.headers.has('x-request-id')) return false;
  if (isStream) return type.startsWith(EVENTS);
  return response.status === 204 || isJson(response);
}

function isJson({ headers }: Response): boolean {
  return /^application\/(?:problem\+|x-nd)?json/u.test(headers.get('content-type') ?? '');
}
