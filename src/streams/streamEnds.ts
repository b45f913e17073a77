import type { Logger } from 'pino';

import { CHANNELS } from '../db/channels.ts';
import type { Sql } from '../db/db.ts';
import type { Listener } from '../db/listener.ts';
import { createWaits } from '../process/waits.ts';
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
  const waits = createWaits<{ stream: StreamName; after: number }>({
    poll: () => void poll(),
    pollMs: POLL_MS,
  });
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
    if (ends[stream] <= after) await waits.until({ stream, after }, ms, signal);
    return ends[stream] > after;
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
      log.warn({ err: error }, 'the ends of the streams could not be read; trying again');
    }
  }

  function close(): void {
    for (const stop of unlisten) stop();
    waits.close();
  }

  return {
    beyond,
    close,
    get closed() {
      return waits.isClosed;
    },
  };
}
