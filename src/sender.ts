import type { Dispatcher } from 'undici';

import type { Outlet } from './egress.ts';
import { codeOfStatus, failed, outcomeOfError, type Outcome } from './outcome.ts';
import { newTraceparent } from './trace.ts';

const HEAD_BYTES = 2_048;
const BODY_BYTES = 65_536;

/** What one webhook carries; the body is sent as it stands. */
export interface Message {
  position: number;
  messageId: string;
  body: string;
}

/** Called once, when the attempt has ended. Times in unix ms and ms. */
export type Ended<M> = (
  message: M,
  outcome: Outcome,
  startedAt: number,
  durationMs: number,
) => void;

export interface Sender<M extends Message> {
  /** Signs and POSTs; `ended` is called exactly once, never synchronously before this returns. */
  send(message: M, attempt: number): void;
  /** Ends what is past its deadline; call it every few tens of ms. */
  sweep(now: number): void;
  /** Cuts every open request: the lease is over. They end as `ours`. */
  cut(): void;
  readonly inFlight: number;
  close(): Promise<void>;
}

export interface SenderOptions<M extends Message> {
  outlet: Outlet;
  /** Path and query. */
  path: string;
  sign: (id: string, timestamp: number, body: Buffer) => string;
  /** Headers of the target, credentials included, as a flat list. */
  headers: string[];
  consumerId: string;
  userAgent: string;
  timeoutMs: number;
  /** Keeps the first 2 KB of successful answers too. */
  keepHeads?: boolean;
  /** Counts the open requests of several senders. */
  requests?: OpenRequests;
  ended: Ended<M>;
}

export interface OpenRequests {
  open: number;
}

/**
 * Sends webhooks to one target by the rules of Standard Webhooks: the id stays, the timestamp
 * and signature are new each attempt. Success is a 2xx status line within `timeoutMs`; what
 * comes after it is read up to 64 KB and the deadline, then cut off.
 */
export function createSender<M extends Message>(options: SenderOptions<M>): Sender<M> {
  const { requests = { open: 0 } } = options;
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
    const durationMs = performance.now() - request.startedMono;
    options.ended(request.message, outcome, request.startedAt, Math.round(durationMs));
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
    options.outlet.dispatch({ path: options.path, method: 'POST', headers, body }, request.handler);
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

interface OpenRequest<M> {
  message: M;
  startedAt: number;
  startedMono: number;
  handler: Dispatcher.DispatchHandler;
  /** Ends it before its answer is whole. */
  end(why: 'deadline' | 'cut'): void;
}

function openRequest<M extends Message>(
  message: M,
  startedAt: number,
  { timeoutMs, keepHeads = false }: { timeoutMs: number; keepHeads?: boolean },
  finish: (request: OpenRequest<M>, outcome: Outcome) => void,
): OpenRequest<M> {
  const startedMono = performance.now();
  let controller: Dispatcher.DispatchController | null = null;
  let status = 0;
  let retryAfter: string | undefined;
  let received = 0;
  let head: Buffer[] | null = null;
  let given = false; // ended by us: whatever undici says afterwards is its echo

  function answer(): Outcome {
    const code = codeOfStatus(status);
    const text = head === null ? null : Buffer.concat(head).toString('utf8').slice(0, HEAD_BYTES);
    const responseHead = text === null ? null : text.replaceAll('\u0000', '\ufffd');
    if (code === null) return { kind: 'delivered', status, responseHead };
    return { kind: 'failed', code, status, detail: `HTTP ${status}`, responseHead, retryAfter };
  }

  function stop(outcome: Outcome): void {
    given = true;
    finish(request, outcome);
    controller?.abort(new Error('cut off'));
  }

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      controller = started;
      if (given) started.abort(new Error('cut off'));
    },
    onResponseStart(_controller, statusCode, headers) {
      if (statusCode < 200) return; // informational: the answer is still to come
      if (performance.now() - startedMono > timeoutMs) {
        stop(failed('TIMEOUT', `no answer within ${timeoutMs} ms`));
        return;
      }
      status = statusCode;
      const asked = headers['retry-after'];
      retryAfter = Array.isArray(asked) ? asked[0] : asked;
    },
    onResponseData(_controller, chunk) {
      if (received < HEAD_BYTES && (keepHeads || codeOfStatus(status) !== null)) {
        (head ??= []).push(chunk.subarray(0, HEAD_BYTES - received));
      }
      received += chunk.length;
      if (received > BODY_BYTES) stop(answer());
    },
    onResponseEnd() {
      if (!given) finish(request, answer());
    },
    onResponseError(_controller, error) {
      if (given) return;
      finish(request, status > 0 ? answer() : outcomeOfError(error));
    },
  };

  const request: OpenRequest<M> = {
    message,
    startedAt,
    startedMono,
    handler,
    end(why) {
      if (status > 0) stop(answer());
      else if (why === 'cut') stop({ kind: 'ours', detail: 'the lease ended' });
      else stop(failed('TIMEOUT', `no answer within ${timeoutMs} ms`));
    },
  };
  return request;
}
