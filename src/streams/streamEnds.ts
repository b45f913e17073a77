import type { Logger } from 'pino';

import { CHANNELS } from '../db/channels.ts';
import type { Sql } from '../db/db.ts';
import { isNotMigrated } from '../db/errors.ts';
import type { Listener } from '../db/listener.ts';
import { createWaits } from '../process/waits.ts';
import type { StreamName } from '../schema/stream.ts';

/** Where the two streams end, for requests that wait for more. */
export interface StreamEnds {
  /** Waits until the stream has passed `after`, for at most `ms` or until `signal` aborts; returns whether it has. */
  beyond(stream: StreamName, after: number, ms: number, signal: AbortSignal): Promise<boolean>;
  /** Ends all waits; from then on `beyond` returns without waiting. */
  close(): void;
  readonly closed: boolean;
}

export interface StreamEndsOptions {
  sql: Sql;
  listener: Pick<Listener, 'on'>;
  /**
   * How long the process listens to NOTIFY after the last wait, ms, because other requests may soon wait; 30 s
   * unless given.
   */
  lingerMs?: number;
  log: Pick<Logger, 'warn'>;
}

const STREAMS: StreamName[] = ['records', 'events'];
const POLL_MS = 1_000;
const LINGER_MS = 30_000;

/**
 * Follows the ends of the streams while requests wait. NOTIFY carries the position, and one poll a second finds
 * what NOTIFY lost. While no request waits, nothing is polled, and soon nothing is listened to either, because
 * a NOTIFY costs something for each process that listens.
 */
export function createStreamEnds(options: StreamEndsOptions): StreamEnds {
  const { sql, listener, lingerMs = LINGER_MS, log } = options;
  const ends = { records: 0, events: 0 };
  const waits = createWaits<{ stream: StreamName; after: number }>({
    poll: () => void poll(),
    pollMs: POLL_MS,
  });
  let stops: (() => unknown)[] = []; // of listening
  let stopping: NodeJS.Timeout | null = null;

  async function beyond(
    stream: StreamName,
    after: number,
    ms: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (ends[stream] <= after) {
      listen();
      await waits.until({ stream, after }, ms, signal);
      if (waits.size === 0) stopSoon();
    }
    return ends[stream] > after;
  }

  function listen(): void {
    if (stopping !== null) clearTimeout(stopping);
    stopping = null;
    if (stops.length > 0 || waits.isClosed) return;
    void poll(); // what was appended while nothing was listened to
    stops = STREAMS.map((stream) =>
      listener.on(CHANNELS[stream], (payload) => {
        if (payload === null) void poll();
        else advance(stream, Number(payload));
      }),
    );
  }

  function stopSoon(): void {
    if (stopping !== null) clearTimeout(stopping);
    stopping = stops.length === 0 ? null : setTimeout(stop, lingerMs);
  }

  function stop(): void {
    for (const one of stops) one();
    stops = [];
  }

  function advance(stream: StreamName, end: number): void {
    ends[stream] = Math.max(ends[stream], end);
    waits.end((wait) => wait.stream === stream && end > wait.after);
  }

  async function poll(): Promise<void> {
    try {
      const { rows } = await sql.query<{ name: StreamName; last_position: number }>(
        'select name, last_position from streams',
      );
      for (const { name, last_position } of rows) advance(name, last_position);
    } catch (error) {
      if (isNotMigrated(error)) return; // the first start: there are no streams yet
      log.warn({ err: error }, 'the ends of the streams could not be read; trying again');
    }
  }

  function close(): void {
    waits.close();
    if (stopping !== null) clearTimeout(stopping);
    stop();
  }

  return {
    beyond,
    close,
    get closed() {
      return waits.isClosed;
    },
  };
}
