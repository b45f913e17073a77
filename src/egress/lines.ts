import { Client, type Dispatcher } from 'undici';

import type { Connect } from './connector.ts';
import { beginOpening, type Opening } from './opening.ts';
import type { Outlet, OutletHandler, SeenLine } from './outlet.ts';
import { RequestLost } from './requestLost.ts';
import { watchSocket, type Wire } from './wire.ts';

export interface LinesOptions {
  origin: string;
  /** At most this many requests are open concurrently; others wait in order. */
  connections: number;
  /**
   * So many connections are opened as requests need them, and further ones only while requests wait; all unless
   * given.
   */
  eager?: number;
  connect: Connect;
  /** From this age on a connection gets no further request, so that its name is looked up again. */
  maxAgeMs: number;
  /** Whether the connections lead through a proxy, which may have died itself when one is lost. */
  viaProxy?: boolean;
}

/**
 * Connections to one origin, each with one request at a time. The connection that was used last is used first,
 * so that connections beyond the need become idle and close. A request that ends without a complete answer ends
 * with `RequestLost`, and its connection is not used again.
 */
export function openLines(options: LinesOptions): Outlet {
  const { connections, eager = connections } = options;
  const lines = new Set<Line>();
  const idle: Line[] = [];
  const waiting: { request: Dispatcher.DispatchOptions; handler: OutletHandler }[] = [];
  let emptied: (() => void) | null = null;
  let growth: NodeJS.Timeout | null = null;

  function openOne(): Line {
    const line = openLine(options, { free, lost });
    lines.add(line);
    return line;
  }

  function pick(): Line | null {
    for (;;) {
      const line = idle.pop();
      if (line === undefined) return lines.size < eager ? openOne() : null;
      if (!line.isOld()) return line;
      drop(line);
    }
  }

  function free(line: Line): void {
    if (!doWait()) {
      idle.push(line); // its age is checked when it is picked
    } else if (line.isOld()) lost(line);
    else sendNext(line);
    if (waiting.length === 0) emptied?.();
  }

  /** Whether requests wait; those that have ended meanwhile are forgotten. */
  function doWait(): boolean {
    while (waiting[0]?.handler.isOver === true) waiting.shift();
    return waiting.length > 0;
  }

  /** The line can't be used again, even if no request used it. */
  function lost(line: Line): void {
    const at = idle.indexOf(line);
    if (at !== -1) idle.splice(at, 1);
    drop(line);
    if (doWait() && lines.size < connections) sendNext(openOne());
    if (waiting.length === 0) emptied?.();
  }

  /** Opens some more connections each time that requests have waited, because those that are open may hang. */
  function grow(): void {
    growth = null;
    let more = Math.ceil(lines.size * GROWTH);
    for (; more > 0 && doWait() && lines.size < connections; more -= 1) {
      sendNext(openOne());
    }
    growLater();
  }

  function growLater(): void {
    if (growth !== null || !doWait() || lines.size >= connections) return;
    growth = setTimeout(grow, GROW_MS);
  }

  function sendNext(line: Line): void {
    const { request, handler } = waiting.shift()!;
    line.send(request, handler);
  }

  function drop(line: Line): void {
    lines.delete(line);
    line.retire();
  }

  return {
    dispatch(request, handler, fresh = false) {
      const line = fresh ? openOne() : pick();
      if (line === null) {
        waiting.push({ request, handler });
        growLater();
      } else line.send(request, handler);
      return true;
    },
    async close() {
      if (doWait()) {
        await new Promise<void>((resolve) => {
          emptied = resolve;
        });
      }
      await Promise.all(Array.from(lines, (line) => line.close()));
    },
    async destroy() {
      for (const { handler } of waiting.splice(0)) {
        handler.onResponseError?.(NO_CONTROLLER, new Error('the connections were closed'));
      }
      await Promise.all(Array.from(lines, (line) => line.destroy()));
    },
  };
}

/** How long requests wait for a connection before more are opened, and by which share: twice as many after 150 ms. */
const GROW_MS = 25;
const GROWTH = 1 / 8;

/** The controller of a request that was never started. */
const NO_CONTROLLER = {} as Dispatcher.DispatchController;

interface Line {
  send(request: Dispatcher.DispatchOptions, handler: OutletHandler): void;
  isOld(): boolean;
  /** Closes the connection once undici has finished with its last request. */
  retire(): void;
  close(): Promise<void>;
  destroy(): Promise<void>;
}

/** One undici client, which has one connection and opens a new one when an answer has ended the last. */
function openLine(
  { origin, connect, maxAgeMs, viaProxy = false }: LinesOptions,
  on: { free: (line: Line) => void; lost: (line: Line) => void },
): Line {
  let wire: Wire | null = null;
  let handler: OutletHandler | null = null;
  let begun = false;
  let opening: Opening | null = null; // the opening of the connection for this request
  const isSecure = origin.startsWith('https:');

  const client = new Client(origin, {
    ...CLIENT,
    connect: (to, callback) => {
      const its = beginOpening(isSecure);
      opening = its;
      connect(
        to,
        (...[error, socket]) => {
          if (error !== null) return callback(error, null);
          const now = performance.now();
          if (its.connectedAt === 0) its.connectedAt = now;
          if (isSecure) its.securedAt = now;
          wire = watchSocket(socket);
          callback(null, socket);
        },
        its,
      );
    },
  });
  client.on('disconnect', () => {
    wire = null;
    if (handler === null) on.lost(line);
  });

  /** Forwards to the handler of the open request, so that a request needs no handler of its own here. */
  const forward: Dispatcher.DispatchHandler = {
    onRequestStart(controller, context) {
      begun = true;
      wire?.begin();
      handler?.onRequestStart?.(controller, context);
    },
    onResponseStart: (...answer) => handler?.onResponseStart?.(...answer),
    onResponseData: (...data) => handler?.onResponseData?.(...data),
    onResponseEnd(controller, trailers) {
      const ended = handler;
      handler = null;
      on.free(line);
      ended?.onResponseEnd?.(controller, trailers);
    },
    onResponseError(controller, error) {
      const ended = handler;
      const lost = new RequestLost(error, { begun, wire, viaProxy });
      handler = null;
      on.lost(line);
      ended?.onResponseError?.(controller, lost);
    },
  };

  const seen: SeenLine = {
    get answer() {
      return begun ? wire : null;
    },
    get opening() {
      return opening;
    },
  };

  const line: Line = {
    send(request, its) {
      handler = its;
      begun = false;
      opening = null;
      its.onConnection?.(seen);
      client.dispatch(request, forward);
    },
    isOld: () => wire !== null && performance.now() - wire.openedAt > maxAgeMs,
    retire: () => queueMicrotask(() => void client.destroy()), // undici may be in the middle of it
    close: () => client.close(),
    destroy: () => client.destroy(),
  };
  return line;
}

/** The status line alone means success, so an answer's headers may be as large as any that a server could intend. */
const MOST_HEADER_BYTES = 393_216;

const CLIENT = {
  pipelining: 1,
  allowH2: false,
  keepAliveTimeout: 4_000,
  keepAliveMaxTimeout: 60_000,
  headersTimeout: 0,
  bodyTimeout: 0,
  maxHeaderSize: MOST_HEADER_BYTES,
} as const;
