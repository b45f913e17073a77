import type { Dispatcher } from 'undici';

import { failed, type Outcome } from '../rules/outcome.ts';
import type { Outlet } from './egress.ts';
import { LEASE_ENDED, openExchange, type Exchange } from './exchange.ts';
import { outcomeOfError } from './networkError.ts';
import { TokenFailure, type TokenSource } from './oauth.ts';
import { newTraceparent } from './traceparent.ts';

/** What one webhook carries; the body is sent as it stands. */
export interface Message {
  position: number;
  messageId: string;
  body: string;
}

/** Called once, when the attempt has ended. Times in unix ms, whole ms, and monotonic ms. */
export type OnAttemptEnd<M> = (
  message: M,
  outcome: Outcome,
  startedAt: number,
  durationMs: number,
  startedMono: number,
) => void;

export interface WebhookSender<M extends Message> {
  /** Signs and POSTs; `ended` is called exactly once, never synchronously before this returns. */
  send(message: M, attempt: number): void;
  /** Ends what is past its deadline; call it every few tens of ms. */
  sweep(now: number): void;
  /** Cuts every open request: the lease is over. They end as `ours`. */
  cut(): void;
  readonly inFlight: number;
  close(): Promise<void>;
}

export interface WebhookSenderOptions<M extends Message> {
  outlet: Outlet;
  /** Path and query. */
  path: string;
  sign: (id: string, timestamp: number, body: Buffer) => string;
  /** Headers of the target, credentials included, as a flat list. */
  headers: string[];
  /** Secrets that are cut out of answers that repeat them. */
  hidden?: readonly string[];
  /** Where its bearer token comes from, where it takes one. */
  tokens?: TokenSource | null;
  consumerId: string;
  userAgent: string;
  timeoutMs: number;
  /** Keeps the first 2 KB of successful answers too. */
  keepHeads?: boolean;
  /** Monotonic ms after which no request starts, also one that waited for its connection: it ends as `ours`. */
  startBy?: () => number;
  /** Counts the open requests of several senders. */
  requests?: OpenRequests;
  ended: OnAttemptEnd<M>;
}

export interface OpenRequests {
  open: number;
}

/**
 * Sends webhooks to one target by the rules of Standard Webhooks: the id stays, the timestamp
 * and signature are new each attempt. Success is a 2xx status line within `timeoutMs`; what
 * comes after it is read up to 64 KB and the deadline, then cut off. A token that is answered 401
 * is replaced and the request repeated at once, one time, as part of the attempt.
 */
export function createWebhookSender<M extends Message>(
  options: WebhookSenderOptions<M>,
): WebhookSender<M> {
  const { tokens = null, hidden = [], requests = { open: 0 } } = options;
  const open = new Set<OpenRequest<M>>();
  const fixed = [
    'content-type',
    'application/json',
    'user-agent',
    options.userAgent,
    'millrace-consumer',
    options.consumerId,
    ...options.headers,
  ];

  function finish(request: OpenRequest<M>, outcome: Outcome): void {
    if (!open.delete(request)) return;
    requests.open -= 1;
    const { startedMono } = request;
    const durationMs = Math.round(performance.now() - startedMono);
    const shown = withoutSecrets(outcome, hidden, request.token);
    options.ended(request.message, shown, request.startedAt, durationMs, startedMono);
  }

  function send(message: M, attempt: number): void {
    const startedAt = Date.now();
    const timestamp = Math.floor(startedAt / 1000);
    const body = Buffer.from(message.body);
    const headers = [
      ...fixed,
      'webhook-id',
      message.messageId,
      'webhook-timestamp',
      String(timestamp),
      'webhook-signature',
      options.sign(message.messageId, timestamp, body),
      'millrace-position',
      String(message.position),
      'millrace-attempt',
      String(attempt),
      'traceparent',
      newTraceparent(),
    ];
    const request = openRequest(message, startedAt, options, finish);
    open.add(request);
    requests.open += 1;
    const post = { path: options.path, method: 'POST', headers, body } as const;
    if (tokens === null) options.outlet.dispatch(post, request.handler());
    else sendWithToken(request, post, tokens);
  }

  /** Synchronous while a token is at hand. */
  function sendWithToken(request: OpenRequest<M>, post: Post, source: TokenSource): void {
    let used = source.current();
    request.refused = () => {
      request.refused = null;
      fetchToken();
    };
    if (used === null) fetchToken();
    else dispatch(used);

    function dispatch(token: string): void {
      used = token;
      request.token = token;
      const headers = [...post.headers, 'authorization', `Bearer ${token}`];
      options.outlet.dispatch({ ...post, headers }, request.handler());
    }

    function fetchToken(): void {
      source.renew(used).then(
        (token) => {
          if (open.has(request)) dispatch(token);
        },
        (error: unknown) =>
          finish(request, error instanceof TokenFailure ? error.outcome : outcomeOfError(error)),
      );
    }
  }

  function sweep(now: number): void {
    // Oldest first: the set keeps insertion order and all share one timeout.
    for (const request of open) {
      if (now - request.startedMono <= options.timeoutMs) return;
      request.end('deadline');
    }
  }

  return {
    send,
    sweep,
    cut: () => {
      for (const request of open) request.end('cut');
    },
    get inFlight() {
      return open.size;
    },
    close: () => options.outlet.close(),
  };
}

interface Post {
  path: string;
  method: 'POST';
  headers: string[];
  body: Buffer;
}

interface OpenRequest<M> {
  message: M;
  startedAt: number;
  startedMono: number;
  /** Hears of one exchange; another one begins with its own. */
  handler(): Dispatcher.DispatchHandler;
  /** Makes another exchange of the first one's 401; null: that is the answer. */
  refused: (() => void) | null;
  /** The one it was sent with last. */
  token: string | null;
  /** Ends it before its answer is whole. */
  end(why: 'deadline' | 'cut'): void;
}

function openRequest<M extends Message>(
  message: M,
  startedAt: number,
  options: Pick<WebhookSenderOptions<M>, 'timeoutMs' | 'startBy' | 'keepHeads'>,
  finish: (request: OpenRequest<M>, outcome: Outcome) => void,
): OpenRequest<M> {
  const { timeoutMs, startBy = never, keepHeads = false } = options;
  const startedMono = performance.now();
  let exchange: Exchange | null = null;

  const request: OpenRequest<M> = {
    message,
    startedAt,
    startedMono,
    refused: null,
    token: null,
    handler: () => {
      const deadline = startedMono + timeoutMs;
      exchange = openExchange({ deadline, timeoutMs, startBy, keepHeads, ended });
      return exchange.handler;
    },
    end(why) {
      const answer = exchange?.cut() ?? null;
      if (answer !== null) finish(request, answer);
      else if (why === 'cut') finish(request, LEASE_ENDED);
      else finish(request, failed('TIMEOUT', `no answer within ${timeoutMs} ms`));
    },
  };

  function ended(outcome: Outcome): void {
    const is401 = outcome.kind === 'failed' && outcome.status === 401;
    if (is401 && request.refused !== null) request.refused();
    else finish(request, outcome);
  }

  return request;
}

const never = (): number => Infinity;

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
