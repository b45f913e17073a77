import type { Dispatcher } from 'undici';

import { codeOfStatus, failed, type Outcome, type Phase } from '../rules/outcome.ts';
import { isUnreadable, outcomeOfError } from './networkError.ts';
import type { OutletHandler, SeenAnswer } from './outlet.ts';
import { RequestLost } from './requestLost.ts';

const BODY_BYTES = 65_536;

/** The sender's own lease is over, which is no failure of the endpoint. */
export const LEASE_ENDED: Outcome = { kind: 'ours', detail: 'the lease ended' };

/** Called with the status of an answer that came after the deadline; null: none came. */
export type OnLateAnswer = (status: number | null) => void;

/** One request and its answer on one connection. */
export interface Exchange {
  handler: OutletHandler;
  /** `connect` until the request is about to be written. */
  readonly phase: Phase;
  /**
   * Aborts it; returns the answer so far, or null before a status line. `ended` is no longer called. With
   * `late`, a request that was written and has no status line yet stays open until one comes, or until
   * it is cut again; `late` is called once, with null when none came.
   */
  cut(late?: OnLateAnswer): Outcome | null;
}

export interface ExchangeOptions {
  /** A status line after this moment (monotonic ms) is too late. */
  deadline: number;
  /** How long the deadline was, for the error's text. */
  timeoutMs: number;
  /** Monotonic ms after which the request may not start; called right before it is written. */
  startBy: () => number;
  /** Keeps the beginning of successful answers as well as of failed ones. */
  keepHeads: boolean;
  /** How many bytes of the body are kept. */
  headBytes: number;
  /** Called when no byte came on a connection that had served before; true if the request is sent again. */
  again?: () => boolean;
  /** Called exactly once, unless the exchange was cut or is sent again. */
  ended: (outcome: Outcome) => void;
}

/**
 * Reads an answer within bounds: it stops at the chunk that exceeds 64 KB of body, keeps the first
 * bytes, and reads nothing once it is cut. Once the status line is here its status stands, whatever
 * happens to the rest, unless the headers break the rules of HTTP.
 */
export function openExchange(options: ExchangeOptions): Exchange {
  const { deadline, headBytes } = options;
  let controller: Dispatcher.DispatchController | null = null;
  let status = 0;
  let retryAfter: string | undefined;
  let received = 0;
  let head: Buffer[] | null = null;
  let over = false; // from then on undici only echoes the abort
  let awaited: OnLateAnswer | null = null; // once it is over
  let connection: (() => SeenAnswer | null) | null = null;

  function answer(): Outcome {
    const code = codeOfStatus(status);
    const responseHead = head === null ? null : textOf(Buffer.concat(head));
    if (code === null) return { kind: 'delivered', status, responseHead };
    return { kind: 'failed', code, status, detail: `HTTP ${status}`, responseHead, retryAfter };
  }

  function hasStatusLine(): boolean {
    const seen = connection?.() ?? null;
    return seen !== null && seen.status > 0 && seen.statusAt <= deadline;
  }

  const phaseOf = (): Phase => (controller === null ? 'connect' : 'answer');

  function end(outcome: Outcome): void {
    if (over) return;
    over = true;
    options.ended(outcome);
  }

  function stop(outcome: Outcome): void {
    end(outcome);
    controller?.abort(new Error('cut off'));
  }

  function cameLate(code: number | null): void {
    const late = awaited;
    awaited = null;
    late?.(code);
  }

  const handler: OutletHandler = {
    onConnection(seen) {
      connection = seen;
    },
    onRequestStart(started) {
      controller = started;
      // It may have waited for its connection, and the process may have been frozen meanwhile.
      if (performance.now() > options.startBy()) end(LEASE_ENDED);
      if (over) started.abort(new Error('cut off'));
    },
    onResponseStart(current, statusCode, headers) {
      if (statusCode < 200) return; // informational: the answer is still to come
      if (awaited !== null) {
        cameLate(statusCode);
        current.abort(new Error('cut off'));
      }
      if (over) return;
      if (performance.now() > deadline) {
        stop(timedOut('answer', options.timeoutMs));
        return;
      }
      status = statusCode;
      const header = headers['retry-after'];
      retryAfter = Array.isArray(header) ? header[0] : header;
    },
    onResponseData(_controller, chunk) {
      if (over) return;
      if (received < headBytes && (options.keepHeads || codeOfStatus(status) !== null)) {
        (head ??= []).push(chunk.subarray(0, headBytes - received));
      }
      received += chunk.length;
      if (received > BODY_BYTES) stop(answer());
    },
    onResponseEnd() {
      end(answer());
    },
    onResponseError(_controller, error) {
      const lost = error instanceof RequestLost ? error : null;
      if (status === 0 && lost !== null && lost.statusAt <= deadline && !isUnreadable(error)) {
        status = lost.status;
      }
      cameLate(null);
      if (over) return;
      if (lost?.onUsedConnection === true && options.again?.() === true) over = true;
      else end(status > 0 ? answer() : outcomeOfError(error, phaseOf()));
    },
  };

  return {
    handler,
    get phase() {
      return phaseOf();
    },
    cut: (late) => {
      // A status line that has come in time stands, even if its headers are not complete.
      const isWaiting = controller !== null && !over && status === 0 && !hasStatusLine();
      over = true;
      cameLate(null);
      if (late !== undefined && isWaiting) awaited = late;
      else controller?.abort(new Error('cut off')); // ends in onResponseError before it returns
      if (!isWaiting) late?.(null);
      return status > 0 ? answer() : null;
    },
  };
}

/** The outcome of a request whose time is over; `phase` is how far it came. */
export function timedOut(phase: Phase, timeoutMs: number): Outcome {
  return phase === 'connect'
    ? failed('TIMEOUT', 'connecting took too long', phase)
    : failed('TIMEOUT', `no answer within ${timeoutMs} ms`, phase);
}

/** Without the rest of a character that was cut off at the end, and as Postgres stores it. */
function textOf(bytes: Buffer): string {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes, { stream: true });
  return text.replaceAll('\u0000', '\ufffd');
}
