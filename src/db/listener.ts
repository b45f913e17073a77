import { setTimeout as pause } from 'node:timers/promises';

import pg from 'pg';
import type { Logger } from 'pino';

/** Called with a NOTIFY's payload; with null when one may have been lost, and whenever listening has begun. */
export type Hear = (payload: string | null) => void;

/** Receives NOTIFY for a process. */
export interface Listener extends AsyncDisposable {
  /**
   * Calls `hear` for each NOTIFY on the channel until the returned function is called. The process listens to
   * the channel only as long as there is such a listener, because each listening process has a cost at each
   * NOTIFY.
   */
  on(channel: string, hear: Hear): () => void;
  close(): Promise<void>;
}

export interface ListenerOptions {
  url: string;
  /** How often it is checked whether the server still answers, ms; 10 s unless given. */
  keepaliveMs?: number;
  log: Pick<Logger, 'warn'>;
}

const KEEPALIVE_MS = 10_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

/**
 * Opens the process's LISTEN connection, and opens it again after a loss. Notifications are only hints that
 * speed up what a poll would find as well: none arrive while there is no connection, and once there is one,
 * each listener is called with null.
 */
export function createListener({ url, keepaliveMs, log }: ListenerOptions): Listener {
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
    return () => {
      set.delete(hear);
      if (set.size > 0 || hearers.get(channel) !== set) return;
      hearers.delete(channel);
      client?.query(`unlisten ${channel}`).catch(() => undefined); // a failure ends the connection
    };
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
          'the LISTEN connection was lost; polling finds what it would have announced',
        );
      }
      await pause(retryMs, undefined, { signal: closing.signal }).catch(() => undefined); // closing
      retryMs = Math.min(LAST_RETRY_MS, retryMs * 2);
    }
  }

  /** Listens on one connection until it ends; calls `listening` once it listens to every channel. */
  async function hold(listening: () => void): Promise<void> {
    const opened = new pg.Client({
      connectionString: url,
      application_name: 'millrace listen',
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
      query_timeout: 5_000,
      pipeline: true, // so that a new channel need not wait for earlier queries
    });
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    opened.on('error', () => undefined); // `end` follows it
    opened.on('end', () => end());
    opened.on('notification', ({ channel, payload }) => tell(channel, payload ?? null));
    const leave = (): void => void opened.end().catch(() => undefined); // the connection is gone either way
    closing.signal.addEventListener('abort', leave);
    let keepalive: NodeJS.Timeout | undefined;
    try {
      // A client that is ended while it connects would never settle `connect`.
      await Promise.race([opened.connect(), ended]);
      if (closing.signal.aborted) return;
      client = opened;
      for (const channel of hearers.keys()) await opened.query(`listen ${channel}`);
      listening();
      const cut = (): void => void opened.connection.stream.destroy(); // ending it would wait for the answer
      keepalive = setInterval(
        () => void opened.query('select 1').catch(cut),
        keepaliveMs ?? KEEPALIVE_MS,
      );
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
