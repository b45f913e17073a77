import type { Dispatcher } from 'undici';

import { codeOfStatus, failed, type Outcome } from '../rules/outcome.ts';
import { outcomeOfError } from './networkError.ts';

const HEAD_BYTES = 2_048;
const BODY_BYTES = 65_536;

/** No failure of the endpoint. */
export const LEASE_ENDED: Outcome = { kind: 'ours', detail: 'the lease ended' };

/** One request and its answer, on one connection. */
export interface Exchange {
  handler: Dispatcher.DispatchHandler;
  /** Ends it now; what was answered, null when no status line came. `ended` is not called any more. */
  cut(): Outcome | null;
}

export interface ExchangeOptions {
  /** Monotonic ms until which a status line counts, and how long that was. */
  deadline: number;
  timeoutMs: number;
  /** Monotonic ms after which the request may not start; asked right before it is written. */
  startBy: () => number;
  /** Keeps the first 2 KB of successful answers too. */
  keepHeads: boolean;
  /** Called once, unless it was cut. */
  ended: (outcome: Outcome) => void;
}

/**
 * Reads an answer within bounds: no more than 64 KB of its body (and what came with the last of
 * them), 2 KB of which are kept, and nothing after it was cut.
 */
export function openExchange(options: ExchangeOptions): Exchange {
  let controller: Dispatcher.DispatchController | null = null;
  let status = 0;
  let retryAfter: string | undefined;
  let received = 0;
  let head: Buffer[] | null = null;
  let over = false; // whatever undici says afterwards is its echo

  function answer(): Outcome {
    const code = codeOfStatus(status);
    const text = head === null ? null : Buffer.concat(head).toString('utf8').slice(0, HEAD_BYTES);
    const responseHead = text === null ? null : text.replaceAll('\u0000', '\ufffd');
    if (code === null) return { kind: 'delivered', status, responseHead };
    return { kind: 'failed', code, status, detail: `HTTP ${status}`, responseHead, retryAfter };
  }

  function end(outcome: Outcome): void {
    if (over) return;
    over = true;
    options.ended(outcome);
  }

  function stop(outcome: Outcome): void {
    end(outcome);
    controller?.abort(new Error('cut off'));
  }

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      controller = started;
      // It may have waited for its connection, and the process have stood still meanwhile.
      if (performance.now() > options.startBy()) end(LEASE_ENDED);
      if (over) started.abort(new Error('cut off'));
    },
    onResponseStart(_controller, statusCode, headers) {
      if (over || statusCode < 200) return; // informational: the answer is still to come
      if (performance.now() > options.deadline) {
        stop(failed('TIMEOUT', `no answer within ${options.timeoutMs} ms`));
        return;
      }
      status = statusCode;
      const asked = headers['retry-after'];
      retryAfter = Array.isArray(asked) ? asked[0] : asked;
    },
    onResponseData(_controller, chunk) {
      if (over) return;
      if (received < HEAD_BYTES && (options.keepHeads || codeOfStatus(status) !== null)) {
        (head ??= []).push(chunk.subarray(0, HEAD_BYTES - received));
      }
      received += chunk.length;
      if (received > BODY_BYTES) stop(answer());
    },
    onResponseEnd() {
      end(answer());
    },
    onResponseError(_controller, error) {
      end(status > 0 ? answer() : outcomeOfError(error));
    },
  };

  return {
    handler,
    cut: () => {
      over = true;
      controller?.abort(new Error('cut off'));
      return status > 0 ? answer() : null;
    },
  };
}
