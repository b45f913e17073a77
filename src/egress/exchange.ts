import type { IncomingHttpHeaders } from 'node:http';

import type { Dispatcher } from 'undici';

import { codeOfStatus, failed, type Outcome, type Phase } from '../rules/outcome.ts';
import { textOf } from './hide.ts';
import { isUnreadable, outcomeOfError } from './networkError.ts';
import type { Opening } from './opening.ts';
import type { OutletHandler, SeenLine } from './outlet.ts';
import { RequestLost } from './requestLost.ts';
import type { Moments } from './timings.ts';

const BODY_BYTES = 65_536;

/** The sender may not send any more, as a rule because its lease is over: that is not a failure of the endpoint. */
export const LEASE_ENDED: Outcome = { kind: 'ours', detail: 'the lease ended' };

/** Called with the status of an answer that came after the deadline; null: none came. */
export type OnLateAnswer = (status: number | null) => void;

/** What all exchanges of one sender have in common. */
export interface ExchangeBounds {
  /** How long after its start a status line still counts. */
  timeoutMs: number;
  /** How many bytes of the body are kept. */
  headBytes: number;
}

/** The request that an exchange belongs to. */
export interface ExchangeOwner {
  /** Keeps the headers and the beginning of the answer even if it is a success. */
  readonly isTraced: boolean;
  /** Monotonic ms after which the request may not start; called right before it is written. */
  startBy(): number;
  /**
   * Called when no byte came and the connection may have died for another reason; true if the request is sent
   * again.
   */
  again(): boolean;
  /** Called exactly once, unless the exchange was cut or is sent again. */
  ended(outcome: Outcome): void;
}

const CUT_OFF = 'cut off';

/**
 * One request and its answer on one connection. Reads the answer within bounds: it stops at the chunk that
 * exceeds 64 KB of body, keeps the first bytes, and reads nothing once it is cut. Once the status line is here
 * its status counts, whatever happens to the rest, unless the headers break the rules of HTTP. It is a class
 * because there is one for each request: a closure for each of its methods costs 4 µs.
 */
export class Exchange implements OutletHandler {
  readonly #bounds: ExchangeBounds;
  readonly #deadline: number;
  readonly #owner: ExchangeOwner;
  #controller: Dispatcher.DispatchController | null = null;
  #status = 0;
  #retryAfter: string | undefined;
  #received = 0;
  #head: Buffer[] | null = null;
  #over = false; // from then on undici only repeats the abort
  #awaited: OnLateAnswer | null = null; // once it is over
  #line: SeenLine | null = null;
  #headers: IncomingHttpHeaders | null = null;
  readonly #dispatchedAt: number;
  #writtenAt = 0;
  #flushedAt = 0;
  #statusAt = 0;
  #opening: Opening | null = null;

  /** It is dispatched at that time, and a status line after `deadline` is too late (monotonic ms). */
  constructor(
    bounds: ExchangeBounds,
    dispatchedAt: number,
    deadline: number,
    owner: ExchangeOwner,
  ) {
    this.#bounds = bounds;
    this.#dispatchedAt = dispatchedAt;
    this.#deadline = deadline;
    this.#owner = owner;
  }

  /** When its steps were completed. */
  get moments(): Omit<Moments, 'startedAt' | 'endedAt'> {
    const isUnwritten = this.#writtenAt === 0;
    const isUnanswered = this.#statusAt === 0; // the line is then still its own
    return {
      dispatchedAt: this.#dispatchedAt,
      opening: isUnwritten ? (this.#line?.opening ?? null) : this.#opening,
      writtenAt: this.#writtenAt,
      flushedAt: isUnanswered ? (this.#line?.answer?.flushedAt ?? 0) : this.#flushedAt,
      statusAt: this.#statusAt,
    };
  }

  /** The headers of the answer; null when none came, or when they were not kept. */
  get headers(): IncomingHttpHeaders | null {
    return this.#headers;
  }

  /** How many bytes of the answer's body have been read. */
  get received(): number {
    return this.#received;
  }

  /** Whether it has ended, so that a connection need not take it any more. */
  get isOver(): boolean {
    return this.#over;
  }

  /** The phase is `connect` until the request is about to be written. */
  get phase(): Phase {
    return this.#controller === null ? 'connect' : 'answer';
  }

  /**
   * Aborts it; returns the answer so far, or null before a status line. `ended` is no longer called. With
   * `late`, a request that was written and has no status line yet stays open until one comes, or until
   * it is cut again; `late` is called once, with null when none came.
   */
  cut(late?: OnLateAnswer): Outcome | null {
    // A status line that came in time counts, even if its headers are not complete.
    const isWaiting =
      this.#controller !== null && !this.#over && this.#status === 0 && !this.#hasStatusLine();
    this.#over = true;
    this.#cameLate(null);
    if (late !== undefined && isWaiting) this.#awaited = late;
    else this.#controller?.abort(new Error(CUT_OFF)); // ends in onResponseError before it returns
    if (!isWaiting) late?.(null);
    return this.#status > 0 ? this.#answer() : null;
  }

  onConnection(line: SeenLine): void {
    this.#line = line;
  }

  onRequestStart(started: Dispatcher.DispatchController): void {
    this.#controller = started;
    // The request may have waited for its connection, and the process may have been frozen meanwhile.
    this.#writtenAt = performance.now();
    this.#opening = this.#line?.opening ?? null;
    if (this.#writtenAt > this.#owner.startBy()) this.#end(LEASE_ENDED);
    if (this.#over) started.abort(new Error(CUT_OFF));
  }

  onResponseStart(
    current: Dispatcher.DispatchController,
    statusCode: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (statusCode < 200) return; // informational: the answer is still to come
    if (this.#awaited !== null) {
      this.#cameLate(statusCode);
      current.abort(new Error(CUT_OFF));
    }
    if (this.#over) return;
    this.#statusAt = performance.now();
    this.#flushedAt = this.#line?.answer?.flushedAt ?? 0;
    if (this.#statusAt > this.#deadline) {
      this.#stop(timedOut('answer', this.#bounds.timeoutMs));
      return;
    }
    this.#status = statusCode;
    if (this.#isKept()) this.#headers = headers;
    const header = headers['retry-after'];
    this.#retryAfter = Array.isArray(header) ? header[0] : header;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return;
    const { headBytes } = this.#bounds;
    if (this.#received < headBytes && this.#isKept()) {
      (this.#head ??= []).push(chunk.subarray(0, headBytes - this.#received));
    }
    this.#received += chunk.length;
    if (this.#received > BODY_BYTES) this.#stop(this.#answer());
  }

  onResponseEnd(): void {
    this.#end(this.#answer());
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const lost = error instanceof RequestLost ? error : null;
    const inTime = lost !== null && lost.statusAt <= this.#deadline;
    if (this.#status === 0 && inTime && !isUnreadable(error)) {
      this.#status = lost.status;
      this.#statusAt = lost.statusAt;
    }
    this.#cameLate(null);
    if (this.#over) return;
    if (lost?.mayBeRepeated === true && this.#owner.again()) this.#over = true;
    else this.#end(this.#status > 0 ? this.#answer() : outcomeOfError(error, this.phase));
  }

  #isKept(): boolean {
    return this.#owner.isTraced || codeOfStatus(this.#status) !== null;
  }

  #answer(): Outcome {
    const status = this.#status;
    const code = codeOfStatus(status);
    const responseHead = this.#head === null ? null : textOf(Buffer.concat(this.#head));
    if (code === null) return { kind: 'delivered', status, responseHead };
    const retryAfter = this.#retryAfter;
    return { kind: 'failed', code, status, detail: `HTTP ${status}`, responseHead, retryAfter };
  }

  #hasStatusLine(): boolean {
    const seen = this.#line?.answer ?? null;
    return seen !== null && seen.status > 0 && seen.statusAt <= this.#deadline;
  }

  #end(outcome: Outcome): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.ended(outcome);
  }

  #stop(outcome: Outcome): void {
    this.#end(outcome);
    this.#controller?.abort(new Error(CUT_OFF));
  }

  #cameLate(code: number | null): void {
    const late = this.#awaited;
    this.#awaited = null;
    late?.(code);
  }
}

/** The outcome of a request that has passed its deadline; `phase` is how far it came. */
export function timedOut(phase: Phase, timeoutMs: number): Outcome {
  return phase === 'connect'
    ? failed('TIMEOUT', 'connecting took too long', phase)
    : failed('TIMEOUT', `no answer within ${timeoutMs} ms`, phase);
}
