import { setTimeout as pause } from 'node:timers/promises';

import pg from 'pg';
import type { Logger } from 'pino';

/** `payload` is null where something may have been missed: when a channel is listened to first, and again. */
export type Hear = (payload: string | null) => void;

export interface Listener extends AsyncDisposable {
  /** Calls `hear` for each NOTIFY on the channel until the returned function is called. */
  on(channel: string, hear: Hear): () => void;
  close(): Promise<void>;
}

export interface ListenerOptions {
  url: string;
  log: Pick<Logger, 'warn'>;
}

const KEEPALIVE_MS = 10_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

/**
 * One LISTEN connection for the process. What it hears only hurries what a poll would find: while
 * there is no connection nothing is heard, and once there is one each listener is called once.
 */
export function createListener({ url, log }: ListenerOptions): Listener {
  const hearers = new Map<string, Set<Hear>>();
  const closing = new AbortController();
  let client: pg.Client | null = null;
  const running = run();

  function on(channel: string, hear: Hear): () => void {
    if (!/^[a-z_]+$/u.test(channel)) throw new Error(`not a channel: ${channel}`);
    const known = hearers.get(channel);
    const set = known ?? new Set();
    hearers.set(channel, set.add(hear));
    if (known === undefined) {
      // A failure ends the connection, and the next one listens to every channel.
      client?.query(`listen ${channel}`).then(
        () => tell(channel, null),
        () => undefined,
      );
    }
    return () => set.delete(hear);
  }

  async function run(): Promise<void> {
    let retryMs = FIRST_RETRY_MS;
    while (!closing.signal.aborted) {
      try {
        await hold(() => {
          retryMs = FIRST_RETRY_MS;
          for (const channel of hearers.keys()) tell(channel, null);
        });
      } catch (error) {
        log.warn(
          { err: error },
          'the LISTEN connection is away; polls find what it would have said',
        );
      }
      await pause(retryMs, undefined, { signal: closing.signal }).catch(() => undefined); // closing
      retryMs = Math.min(LAST_RETRY_MS, retryMs * 2);
    }
  }

  /** Listens on one connection until it ends. */
  async function hold(listening: () => void): Promise<void> {
    const opened = new pg.Client({
      connectionString: url,
      application_name: 'millrace listen',
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
      query_timeout: 5_000,
      pipeline: true, // channels are listened to as they come
    });
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    opened.on('error', () => undefined); // `end` follows
    opened.on('end', () => end());
    opened.on('notification', ({ channel, payload }) => tell(channel, payload ?? null));
    const leave = (): void => void opened.end().catch(() => undefined); // it is gone either way
    closing.signal.addEventListener('abort', leave);
    let keepalive: NodeJS.Timeout | undefined;
    try {
      // Ended while it connects, it would never say so.
      await Promise.race([opened.connect(), ended]);
      if (closing.signal.aborted) return;
      client = opened;
      for (const channel of hearers.keys()) await opened.query(`listen ${channel}`);
      listening();
      keepalive = setInterval(() => void opened.query('select 1').catch(leave), KEEPALIVE_MS);
      await ended;
    } finally {
      client = null;
      clearInterval(keepalive);
      closing.signal.removeEventListener('abort', leave);
      leave();
    }
  }

  function tell(channel: string, payload: string | null): void {
    for (const hear of hearers.get(channel) ?? []) {
      try {
        hear(payload);
      } catch (error) {
        log.warn({ err: error, channel }, 'a listener failed');
      }
    }
  }

  async function close(): Promise<void> {
    closing.abort();
    await running;
  }

  return { on, close, [Symbol.asyncDispose]: close };
}
