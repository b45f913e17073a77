import type { BodyShape } from '../rules/bodyShape.ts';
import type { LateAnswer, Outcome } from '../rules/outcome.ts';
import { isOfNothing, withoutSecrets, type Ended } from './ended.ts';
import {
  Exchange,
  LEASE_ENDED,
  timedOut,
  type ExchangeBounds,
  type ExchangeOwner,
} from './exchange.ts';
import { hide, type Hiding } from './hide.ts';
import type { TokenSource } from './oauth.ts';
import type { Outlet } from './outlet.ts';
import { headersOf } from './requestHeaders.ts';
import { createShaping, type BatchSize, type MakingTurn } from './shaping.ts';
import { NO_MOMENTS, traceOf, type RequestRecord } from './trace.ts';
import { dispatchWithToken, type Post } from './withToken.ts';

/** The content of one webhook; the body is sent unchanged, unless its sender has a shape or a `bodyOf`. */
export interface Message {
  position: number;
  messageId: string;
  body: string;
  /** Of a batch, whose own body is empty: the bodies of its entries, in order. */
  bodies?: readonly string[];
  /**
   * Of a batch: leaves the entries after the first `count` to a later request, before anything is sent. Returns the number
   * of the attempt that it then is.
   */
  keep?(count: number): number;
  /** The `traceparent` of the trace that its attempts belong to; a new trace for each attempt unless given. */
  traceparent?: string | null;
}

/** Called once per attempt, when it ends. `startedAt` is unix ms, `startedMono` monotonic ms. */
export type OnAttemptEnd<M> = (
  message: M,
  outcome: Outcome,
  startedAt: number,
  durationMs: number,
  startedMono: number,
) => void;

export interface WebhookSender<M extends Message> {
  /** Signs and POSTs a webhook; `ended` is called exactly once, and never before this returns. */
  send(message: M, attempt: number): void;
  /** Ends requests that are past their deadline; call it every few tens of ms. */
  sweep(now: number): void;
  /** Cuts every open request when the lease is over; those without an answer end as `ours`. Late answers are no longer awaited. */
  cut(): void;
  /** Ends requests that wait for a token or a connection and, by `startBy`, may not start any more: as `ours`. */
  letGo(): void;
  readonly inFlight: number;
  /** How many bytes the bodies of open requests have more than the entries that they were made of. */
  readonly grown: number;
  /** Resolves once the bodies of all messages are made; null: they are. */
  readonly made: Promise<void> | null;
  close(): Promise<void>;
}

export interface WebhookSenderOptions<M extends Message> {
  outlet: Outlet;
  /** The origin of the endpoint, for example `https://example.com:8443`. */
  origin: string;
  /** The path and query of the endpoint. */
  path: string;
  sign: (id: string, timestamp: number, body: Buffer) => string;
  /** Makes what is sent of a message; unless given, its body is sent. */
  bodyOf?: (message: Pick<Message, 'body' | 'bodies'>) => Buffer;
  /** Makes what is sent of each body, which is then what is signed; unless given, bodies are sent unchanged. */
  shape?: BodyShape | null;
  /** Bounds bodies of several entries that are made by `shape`; unless given, nothing does. */
  size?: BatchSize;
  /** What the senders of a process share while they make bodies by a shape. */
  turn?: MakingTurn;
  /** Called whenever `grown` changes, with the difference. */
  weigh?: ((bytes: number) => void) | undefined;
  /** Headers of the target, credentials included, as a flat list. */
  headers: string[];
  /** Masks secrets in answers that repeat them; nothing is masked unless given, except tokens. */
  hiding?: Hiding;
  /** Supplies the bearer token; null when the target takes none. */
  tokens?: TokenSource | null;
  consumerId: string;
  userAgent: string;
  /** Unix ms, whole, on the clock that signatures use. */
  now: () => number;
  timeoutMs: number;
  /**
   * Called before each first attempt: whether its trace and the first 2 KB of the answer are kept even if it
   * succeeds, as those of a failure or of a further attempt always are. Never, unless it is given.
   */
  samples?: () => boolean;
  /**
   * Monotonic ms after which the request of a message is not written, even if it has waited until now: it ends as
   * `ours`.
   */
  startBy?: (message: M) => number;
  /** A counter of open requests that several senders may share. */
  requests?: OpenRequests;
  ended: OnAttemptEnd<M>;
  /**
   * Called once for each attempt that ended as a timeout, with null when no answer has come after all.
   * A request at its deadline stays open for it, uncounted, until its status line comes or `cut` is
   * called. Without it such a request is cut.
   */
  late?: (late: LateAnswer | null) => void;
}

export interface OpenRequests {
  open: number;
}

/**
 * Sends webhooks to one target by the rules of Standard Webhooks: the id stays the same, the timestamp
 * and signature are new for each attempt. Success is a 2xx status line within `timeoutMs`; the rest of
 * the answer is read up to 64 KB or the deadline, then cut off. When a token is answered 401, it is
 * replaced and the request is repeated immediately, once, as part of the same attempt. Where no body can be made of a
 * message, nothing is sent, and the attempt ends as `BODY_FAILED`.
 */
export function createWebhookSender<M extends Message>(
  options: WebhookSenderOptions<M>,
): WebhookSender<M> {
  const { tokens = null, requests = { open: 0 } } = options;
  const { hiding = hide([], tokens !== null) } = options;
  const bounds: RequestBounds<M> = {
    outlet: options.outlet,
    timeoutMs: options.timeoutMs,
    startBy: options.startBy ?? never,
    headBytes: hiding.bytes,
    late: options.late,
  };
  const { samples = nothing, bodyOf, shape = null, size } = options;
  const shaping = shape === null ? null : createShaping<M>({ ...options, shape, bodyOf, size });
  const open = new Set<OpenRequest<M>>();
  let grown = 0;
  const overdue = new Set<OpenRequest<M>>(); // those whose late answers are awaited
  const contentType = (bodyOf === undefined ? shape?.contentType : undefined) ?? 'application/json';
  const headersFor = headersOf({ ...options, contentType });

  function finish(request: OpenRequest<M>, outcome: Outcome): void {
    if (!open.delete(request)) return;
    requests.open -= 1;
    if (request.grown > 0) grow(-request.grown);
    const { startedMono } = request;
    const endedAt = performance.now();
    const durationMs = Math.round(endedAt - startedMono);
    const shown = isOfNothing(outcome)
      ? outcome
      : kept(request, outcome, { url: options.origin + options.path, endedAt, hiding });
    options.ended(request.message, shown, request.startedAt, durationMs, startedMono);
  }

  function grow(bytes: number): void {
    grown += bytes;
    options.weigh?.(bytes);
  }

  function send(message: M, attempt: number): void {
    if (shaping === null) {
      post(message, attempt, bodyOf === undefined ? Buffer.from(message.body) : bodyOf(message));
      return;
    }
    shaping.make(message, attempt, (body, nth) => {
      if (!(body instanceof Uint8Array)) endSoon(message, body);
      else
        try {
          post(message, nth, body);
        } catch (error) {
          endSoon(message, notMade(error)); // nobody may be there any more to catch it
        }
    });
  }

  /** Ends an attempt with which nothing was sent, once the caller has returned and others had their turn. */
  function endSoon(message: M, outcome: Outcome): void {
    const begun = open.values().find((request) => request.message === message);
    const request = begun ?? begin(message, options.now(), false);
    setImmediate(() => finish(request, outcome));
  }

  function begin(message: M, startedAt: number, isTraced: boolean): OpenRequest<M> {
    const request = new OpenRequest(message, startedAt, isTraced, bounds, finish);
    open.add(request);
    requests.open += 1;
    return request;
  }

  function post(message: M, attempt: number, body: Buffer): void {
    const startedAt = options.now();
    const timestamp = Math.floor(startedAt / 1000);
    const signature = options.sign(message.messageId, timestamp, body);
    const headers = headersFor(message, attempt, timestamp, signature);
    const request = begin(message, startedAt, attempt > 1 || samples());
    if (shape !== null) grow((request.grown = Math.max(0, body.length - storedBytes(message))));
    const what = { path: options.path, method: 'POST', headers, body } as const;
    if (tokens === null) request.dispatch(what, request.startedMono);
    else {
      const ends = (outcome: Outcome): void => finish(request, outcome);
      dispatchWithToken(request, what, tokens, { open: () => open.has(request), ends });
    }
  }

  /** Ends the attempts of which no body has been made yet and which `isOver` names. */
  function drop(isOver: (message: M) => boolean): void {
    if (shaping === null) return;
    for (const message of shaping.drop(isOver)) {
      finish(begin(message, options.now(), false), LEASE_ENDED);
    }
  }

  function sweep(now: number): void {
    // The set keeps insertion order and all requests share one timeout, so the oldest comes first.
    for (const request of open) {
      if (now - request.startedMono <= options.timeoutMs) return;
      if (options.late !== undefined) overdue.add(request);
      request.end('deadline');
    }
  }

  return {
    send,
    sweep,
    cut: () => {
      drop(() => true);
      for (const request of open) request.end('cut');
      for (const request of overdue) request.end('cut');
      overdue.clear();
    },
    letGo: () => {
      const now = performance.now();
      drop((message) => now > bounds.startBy(message));
      for (const request of open) if (request.waits && now > request.startBy()) request.end('cut');
    },
    get inFlight() {
      return open.size + (shaping?.waiting ?? 0);
    },
    get made() {
      return shaping?.done ?? null;
    },
    get grown() {
      return grown;
    },
    close: () => options.outlet.close(),
  };
}

/** The outcome with the stored facts about the attempt, without secrets. */
function kept<M extends Message>(
  request: OpenRequest<M>,
  outcome: Ended,
  { url, endedAt, hiding }: { url: string; endedAt: number; hiding: Hiding },
): Ended {
  const { token } = request;
  const shown = withoutSecrets(outcome, hiding, token);
  if (outcome.kind !== 'failed' && !request.isTraced) return shown;
  return { ...shown, trace: traceOf({ url, ...request.record(endedAt), hiding, token }) };
}

/** The bounds that the open requests of one sender have in common. */
interface RequestBounds<M extends Message> extends ExchangeBounds {
  outlet: Outlet;
  startBy: (message: M) => number;
  late: ((late: LateAnswer | null) => void) | undefined;
}

/** One attempt: an exchange, or a second one when the first is repeated. */
class OpenRequest<M extends Message> implements ExchangeOwner {
  readonly message: M;
  /** Unix ms. */
  readonly startedAt: number;
  readonly isTraced: boolean;
  /** Monotonic ms. */
  readonly startedMono = performance.now();
  /** How many bytes its body has more than the entries that it was made of. */
  grown = 0;
  /** Repeats the request after a 401 with another token; null: a 401 is the final answer. */
  refused: (() => void) | null = null;
  /** The token with which it was last sent. */
  token: string | null = null;
  readonly #bounds: RequestBounds<M>;
  readonly #finish: (request: OpenRequest<M>, outcome: Outcome) => void;
  #exchange: Exchange | null = null;
  #sent: Post | null = null;
  #repeated = false;

  constructor(
    message: M,
    startedAt: number,
    isTraced: boolean,
    bounds: RequestBounds<M>,
    finish: (request: OpenRequest<M>, outcome: Outcome) => void,
  ) {
    this.message = message;
    this.startedAt = startedAt;
    this.isTraced = isTraced;
    this.#bounds = bounds;
    this.#finish = finish;
  }

  /** Whether it waits for a token or a connection. */
  get waits(): boolean {
    return this.#exchange === null || this.#exchange.phase === 'connect';
  }

  startBy(): number {
    return this.#bounds.startBy(this.message);
  }

  /** Begins an exchange at that time (monotonic ms); a repetition with another token begins a second one. */
  dispatch(post: Post, at: number, fresh = false): void {
    this.#sent = post;
    const bounds = this.#bounds;
    const exchange = new Exchange(bounds, at, this.startedMono + bounds.timeoutMs, this);
    this.#exchange = exchange;
    bounds.outlet.dispatch(post, exchange, fresh);
  }

  /**
   * A request that is lost on a connection which had served before, or which leads through a proxy, is sent
   * once more, on a new one, if no byte of an answer came: such a connection may have died while it was idle,
   * or with the proxy, which says nothing about the endpoint.
   */
  again(): boolean {
    if (this.#repeated || this.#sent === null) return false;
    this.#repeated = true;
    this.dispatch(this.#sent, performance.now(), true);
    return true;
  }

  /** The facts about its last exchange at that time (monotonic ms). */
  record(endedAt: number): RequestRecord {
    const exchange = this.#exchange;
    const moments = exchange?.moments ?? NO_MOMENTS;
    return {
      headers: this.#sent?.headers ?? [],
      bytes: this.#sent?.body.length ?? 0,
      answer: { headers: exchange?.headers ?? null, bytes: exchange?.received ?? 0 },
      moments: { startedAt: this.startedMono, ...moments, endedAt },
    };
  }

  ended(outcome: Outcome): void {
    if (outcome.kind === 'failed' && outcome.code === 'TIMEOUT') this.#bounds.late?.(null);
    const is401 = outcome.kind === 'failed' && outcome.status === 401;
    if (is401 && this.refused !== null) this.refused();
    else this.#finish(this, outcome);
  }

  /** Ends it before its answer is complete. */
  end(why: 'deadline' | 'cut'): void {
    const { late, timeoutMs } = this.#bounds;
    const awaits = why === 'deadline' && late !== undefined;
    const onLate = awaits ? (status: number | null) => this.#cameLate(status) : undefined;
    const exchange = this.#exchange;
    const answer = exchange?.cut(onLate) ?? null;
    if (exchange === null) onLate?.(null);
    if (answer !== null) this.#finish(this, answer);
    else if (why === 'cut') this.#finish(this, LEASE_ENDED);
    else this.#finish(this, timedOut(exchange?.phase ?? 'connect', timeoutMs));
  }

  #cameLate(status: number | null): void {
    const afterMs = performance.now() - this.startedMono;
    this.#bounds.late?.(status === null ? null : { status, afterMs });
  }
}

/** How many bytes the entries of a message have as they are stored. */
function storedBytes({ body, bodies = [body] }: Message): number {
  return bodies.reduce((sum, one) => sum + Buffer.byteLength(one), 0);
}

/** An error of a kind that nobody foresaw says nothing about the endpoint. */
function notMade(error: unknown): Outcome {
  return { kind: 'ours', detail: `the request could not be made: ${(error as Error).message}` };
}

const never = (): number => Infinity;
const nothing = (): boolean => false;
