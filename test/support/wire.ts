import type { Dispatcher } from 'undici';

import { createBodyShapes } from '../../src/delivery/bodyShapes.ts';
import type { SenderConfig } from '../../src/delivery/senderConfig.ts';
import { batchBody, batchSize } from '../../src/egress/batchBody.ts';
import type { MakingTurn } from '../../src/egress/shaping.ts';
import { createWebhookSender } from '../../src/egress/webhookSender.ts';
import type { OpenSender } from '../../src/temporal/openSender.ts';

/** One request as the endpoint sees it. */
export interface Arrival {
  position: number;
  messageId: string;
  attempt: number;
  /** The positions of its entries, in their order. */
  positions: number[];
  /** Whether it has the envelope of batches. */
  isBatch: boolean;
}

/** How the endpoint answers, and after how long; null: never. */
export type Reply = { afterMs: number; status: number | 'reset'; retryAfter?: string } | null;

/** What a process tells of. Called synchronously. */
export interface Wire {
  arrives(request: Arrival): Reply;
  /** Its sender has read the answer, or has given it up. */
  over(request: Arrival, read: boolean): void;
  /** The process has died. */
  died(): void;
}

/** A way out without sockets: each request arrives at the wire, which says how it is answered. */
export interface ScriptedOutlet {
  openSender: OpenSender;
  /** Breaks off every open request. */
  abort(): void;
}

/** Nothing leaves by it once `isDead` holds. */
export function createScriptedOutlet(wire: Wire, isDead: () => boolean): ScriptedOutlet {
  const requests = new Set<() => void>();
  const shapes = createBodyShapes();

  const openSender: OpenSender = (config, _connections, ended, startBy) =>
    createWebhookSender({
      origin: 'http://endpoint.test',
      outlet: { dispatch, close: () => Promise.resolve(), destroy: () => Promise.resolve() },
      path: '/hook',
      sign: () => '',
      shape: shapes.of(config),
      turn: createShortTurn(),
      ...batching(config),
      headers: [],
      consumerId: config.consumerId,
      userAgent: 'Millrace/test',
      now: Date.now,
      timeoutMs: config.target.timeoutMs,
      startBy,
      ended,
    });

  function dispatch(
    options: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ): boolean {
    if (isDead()) return true;
    const request = requestOf(options.headers as string[], (options.body as Buffer).toString());
    let isAborted = false;
    const abort = (): void => {
      isAborted = true;
      end(false);
    };
    const controller = { abort } as unknown as Dispatcher.DispatchController;
    handler.onRequestStart?.(controller, {});
    if (isAborted) return true; // nothing is written
    const reply = wire.arrives(request);
    const answering = reply === null ? null : setTimeout(answer, reply.afterMs);
    requests.add(abort);

    function answer(): void {
      end(true);
      if (reply?.status === 'reset') {
        const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
        handler.onResponseError?.(controller, reset);
      } else if (reply !== null) {
        const asked = reply.retryAfter === undefined ? {} : { 'retry-after': reply.retryAfter };
        handler.onResponseStart?.(controller, reply.status, asked, '');
        handler.onResponseEnd?.(controller, {});
      }
    }

    function end(read: boolean): void {
      if (!requests.delete(abort)) return;
      if (answering !== null) clearTimeout(answering);
      wire.over(request, read);
    }
    return true;
  }

  return {
    openSender,
    abort: () => {
      for (const abort of requests) abort();
    },
  };
}

function batching({ stream, batch, body: { mode } }: SenderConfig) {
  if (batch === null) return {};
  return { bodyOf: batchBody(stream, mode), size: batchSize(stream, mode, batch.max_bytes) };
}

/** A turn that is over after every third entry, whatever time that took. */
function createShortTurn(): MakingTurn {
  let asked = 0;
  return {
    isOver: () => (asked += 1) % 4 === 0,
    later: (run) => void setTimeout(run, 1),
  };
}

function requestOf(headers: string[], body: string): Arrival {
  const header = (name: string): string => headers[headers.indexOf(name) + 1] ?? '';
  const sent = JSON.parse(body) as Record<string, unknown>;
  const [envelope = '', content] = Object.entries('mapped' in sent ? { one: sent } : sent)[0] ?? [];
  const entries = (Array.isArray(content) ? content : [content]) as Sent[];
  return {
    position: Number(header('millrace-position')),
    messageId: header('webhook-id'),
    attempt: Number(header('millrace-attempt')),
    positions: entries.map(({ position, updated_idx: index }) => position ?? index ?? NaN),
    isBatch: envelope.endsWith('s'),
  };
}

/** An entry as it is sent. */
interface Sent {
  position?: number;
  updated_idx?: number;
}
