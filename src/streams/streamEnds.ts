import type { Logger } from 'pino';

import { CHANNELS } from '../db/channels.ts';
import type { Sql } from '../db/db.ts';
import type { Listener } from '../db/listener.ts';
import type { StreamName } from '../schema/stream.ts';

export interface StreamEnds {
  /** Resolves when the stream has gone beyond `after`, after `ms`, or when `signal` aborts: whether it has. */
  beyond(stream: StreamName, after: number, ms: number, signal: AbortSignal): Promise<boolean>;
  /** Lets everyone go; from then on nobody waits. */
  close(): void;
  readonly closed: boolean;
}

export interface StreamEndsOptions {
  sql: Sql;
  listener: Pick<Listener, 'on'>;
  log: Pick<Logger, 'warn'>;
}

const STREAMS: StreamName[] = ['records', 'events'];
const POLL_MS = 1_000;

/**
 * Where the streams end, for all who wait for more: NOTIFY carries the position, and one poll a
 * second for the process finds what NOTIFY lost. No query while nobody waits.
 */
export function createStreamEnds({ sql, listener, log }: StreamEndsOptions): StreamEnds {
  const ends = { records: 0, events: 0 };
  const waiting: Record<StreamName, Map<() => void, number>> = {
    records: new Map(),
    events: new Map(),
  };
  let timer: NodeJS.Timeout | null = null;
  let closed = false;
  const unlisten = STREAMS.map((stream) =>
    listener.on(CHANNELS[stream], (payload) => {
      if (payload === null) void poll();
      else advance(stream, Number(payload));
    }),
  );

  async function beyond(
    stream: StreamName,
    after: number,
    ms: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (closed || ends[stream] > after || signal.aborted) return ends[stream] > after;
    const { promise, resolve } = Promise.withResolvers<void>();
    const go = (): void => resolve();
    waiting[stream].set(go, after);
    const timeout = setTimeout(go, ms);
    signal.addEventListener('abort', go, { once: true });
    timer ??= setInterval(() => void poll(), POLL_MS);
    await promise;
    clearTimeout(timeout);
    signal.removeEventListener('abort', go);
    waiting[stream].delete(go);
    if (timer !== null && STREAMS.every((name) => waiting[name].size === 0)) {
      clearInterval(timer);
      timer = null;
    }
    return ends[stream] > after;
  }

  function advance(stream: StreamName, end: number): void {
    ends[stream] = Math.max(ends[stream], end);
    for (const [go, after] of waiting[stream]) if (end > after) go();
  }

  async function poll(): Promise<void> {
    try {
      const { rows } = await sql.query<{ name: StreamName; last_position: number }>(
        'select name, last_position from streams',
      );
      for (const { name, last_position } of rows) advance(name, last_position);
    } catch (error) {
      log.warn({ err: error }, 'the ends of the streams could not be read; trying again');
    }
  }

  function close(): void {
    closed = true;
    for (const stop of unlisten) stop();
    for (const stream of STREAMS) for (const go of waiting[stream].keys()) go();
  }

  return {
    beyond,
    close,
    get closed() {
      return closed;
    },
  };
}
