import { failed, type Outcome } from '../rules/outcome.ts';
import type { Credentials } from '../schema/target.ts';
import type { Egress } from './egress.ts';
import { outcomeOfError } from './networkError.ts';
import { postOnce, type PostAnswer } from './postOnce.ts';

/** The settings of an RFC 6749 §4.4 client credentials grant. */
export type OAuthClient = Extract<Credentials, { type: 'oauth2' }>;

/** Supplies a sender with bearer tokens. */
export interface TokenSource {
  /** The token in use; null when one has to be fetched. */
  current(): string | null;
  /** Returns a token other than `refused`; concurrent calls share a request. Rejects with `TokenFailure`. */
  renew(refused: string | null): Promise<string>;
}

/** The token sources of a process. */
export interface Tokens {
  /** Returns the source of a target and version; a new version forgets the token of the previous one. */
  of(target: { id: string; version: number }, client: OAuthClient): TokenSource;
}

/** No token could be fetched; `outcome` is the outcome of the whole attempt. */
export class TokenFailure extends Error {
  override name = 'TokenFailure';
  readonly outcome: Outcome;

  constructor(outcome: Outcome) {
    super(outcome.kind === 'delivered' ? 'no token' : outcome.detail);
    this.outcome = outcome;
  }
}

export interface TokensOptions {
  egress: Egress;
  userAgent: string;
}

/** Number of sources kept; the oldest is forgotten first. */
const MOST = 10_000;

/** Caches tokens in memory only; they are never stored. */
export function createTokens(options: TokensOptions): Tokens {
  const sources = new Map<string, { version: number; source: TokenSource }>();
  return {
    of: ({ id, version }, client) => {
      const found = sources.get(id);
      if (found?.version === version) return found.source;
      const source = createTokenSource(options, client);
      sources.set(id, { version, source });
      if (sources.size > MOST) sources.delete(sources.keys().next().value ?? id);
      return source;
    },
  };
}

interface Token {
  text: string;
  /** From this moment (monotonic ms) the next token is fetched while this one is still used. */
  renewAt: number;
  /** From this moment (monotonic ms) it is no longer used. */
  until: number;
}

/** Fetches a token at the first use, before it expires, and after it was refused. */
export function createTokenSource(options: TokensOptions, client: OAuthClient): TokenSource {
  let token: Token | null = null;
  let open: Promise<string> | null = null;

  function fetchToken(): Promise<string> {
    open ??= requestToken(options, client)
      .then((fresh) => {
        token = fresh;
        return fresh.text;
      })
      .finally(() => {
        open = null;
      });
    return open;
  }

  return {
    current: () => {
      const now = performance.now();
      if (token === null || now >= token.until) return null;
      if (now >= token.renewAt && open === null) {
        token.renewAt = now + RENEW_AGAIN_MS;
        fetchToken().catch(() => undefined); // the current token is still valid; tried again later
      }
      return token.text;
    },
    renew: (refused) => {
      const usable = token !== null && performance.now() < token.until;
      if (usable && refused !== null && token!.text !== refused)
        return Promise.resolve(token!.text);
      if (usable && refused === null) return Promise.resolve(token!.text);
      return fetchToken();
    },
  };
}

const TIMEOUT_MS = 10_000;
const RENEW_AGAIN_MS = 5_000;
/** Assumed lifetime of a token whose answer does not state it, in seconds. */
const UNSAID_S = 3_600;
const ERRORS =
  /^(?:invalid_(?:request|client|grant|scope)|unauthorized_client|unsupported_grant_type)$/u;

async function requestToken(options: TokensOptions, client: OAuthClient): Promise<Token> {
  const { token_url, client_id, client_secret, scope } = client;
  const form = { grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) };
  let answer: PostAnswer;
  try {
    answer = await postOnce(options.egress, token_url, {
      headers: {
        accept: 'application/json',
        authorization: `Basic ${basicOf(client_id, client_secret)}`,
        'content-type': 'application/x-www-form-urlencoded',
        'user-agent': options.userAgent,
      },
      body: new URLSearchParams(form).toString(),
      timeoutMs: TIMEOUT_MS,
    });
  } catch (error) {
    throw new TokenFailure(outcomeOfLoss(error));
  }
  return readToken(answer);
}

/** Form-encodes each part first (RFC 6749 §2.3.1), so that a ":" inside a part does not split it. */
function basicOf(id: string, secret: string): string {
  return Buffer.from(`${formEncoded(id)}:${formEncoded(secret)}`).toString('base64');
}

function formEncoded(text: string): string {
  return new URLSearchParams({ v: text }).toString().slice('v='.length);
}

function outcomeOfLoss(error: unknown): Outcome {
  if (error instanceof Error && error.name === 'TimeoutError') return refused('timed out');
  const outcome = outcomeOfError(error);
  return outcome.kind === 'failed' ? refused(`could not be reached: ${outcome.detail}`) : outcome;
}

function readToken({ status, headers, body }: PostAnswer): Token {
  const json = parse(body);
  if (status !== 200) {
    const why = ERRORS.test(String(json['error'])) ? `: ${String(json['error'])}` : '';
    const after = headers['retry-after'];
    throw new TokenFailure({
      ...refused(`answered HTTP ${status}${why}`),
      retryAfter: Array.isArray(after) ? after[0] : after,
    });
  }
  const { access_token: text, token_type: type, expires_in: given } = json;
  if (typeof text !== 'string' || !/^[\x21-\x7e]{1,8192}$/u.test(text)) {
    throw new TokenFailure(refused('answered without a usable access_token'));
  }
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer') {
    throw new TokenFailure(refused('answered with a token that is not a bearer token'));
  }
  const seconds = Number(given ?? UNSAID_S);
  const holdsMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : UNSAID_S * 1_000;
  const now = performance.now();
  // The last tenth of its lifetime, at most a minute, is for fetching the next token. The last tenth of
  // that is for requests on their way.
  const margin = Math.min(60_000, holdsMs / 10);
  return { text, renewAt: now + holdsMs - margin, until: now + holdsMs - margin / 10 };
}

function parse(body: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(body);
    return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : {};
  } catch {
    return {}; // the body may hold anything, so the error does not repeat it
  }
}

function refused(what: string): Outcome & { kind: 'failed' } {
  return failed('CREDENTIALS_FAILED', `the token endpoint ${what}`);
}
