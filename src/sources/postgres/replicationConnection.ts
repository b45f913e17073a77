import pg from 'pg';

import { SESSION_SQL } from './jsonValue.ts';
import { SilentServer } from './logEnding.ts';
import { formatLsn, type Lsn } from './lsn.ts';
import { encodeStatus, type StandbyStatus } from './replicationFrame.ts';
import type { SourceConfig } from './sourceConfig.ts';

/** What to read, and from where. */
export interface StreamRequest {
  slot: string;
  publication: string;
  from: Lsn;
  /**
   * Called with the content of each message. The driver uses its memory again afterwards: what is kept of it has to be
   * copied. When this throws, the stream ends with that error.
   */
  onFrame: (content: Buffer) => void;
}

/** A session of the replication protocol, which reads one slot. */
export interface ReplicationConnection {
  /** The server's `wal_sender_timeout`, ms; 0 for none. */
  readonly timeoutMs: number;
  /** Reads until the session ends; rejects with the reason. */
  stream(request: StreamRequest): Promise<never>;
  /**
   * Says how far the log is stored. After a silence of half the timeout the server is asked to answer: it has nothing to
   * send by itself while it hears of us.
   */
  say(status: Pick<StandbyStatus, 'written' | 'flushed'>): void;
  /** Stops reading the socket, so that the server has to wait; or goes on. */
  setPaused(paused: boolean): void;
  /** Ends the session cleanly, so that the slot is free at once; by force when the server does not follow. */
  close(): Promise<void>;
}

const CLOSE_MS = 2_000;
const CONNECT_MS = 10_000;
/** The type definitions of the driver leave it out. */
type CopyConnection = pg.Connection & { sendCopyFromChunk(chunk: Buffer): void };

/**
 * Connects. While a stream is read and not paused, the server counts as lost when nothing has come from it for twice its
 * `wal_sender_timeout`, although `say` has asked it to answer; never when it has no timeout.
 */
export async function openReplication(config: SourceConfig): Promise<ReplicationConnection> {
  const client = new pg.Client({
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    ...config,
    replication: 'database',
  } as pg.ClientConfig);
  const connection = client.connection as CopyConnection;
  const { promise: ended, reject: end } = Promise.withResolvers<never>();
  ended.catch(() => undefined); // a stream that is read rejects with it
  const { promise: gone, resolve: goneNow } = Promise.withResolvers<void>();
  client.on('error', end);
  client.on('end', () => {
    end(new Error('Connection terminated'));
    goneNow();
  });
  await client.connect();
  const timeoutMs = await prepareSession(client);
  let isPaused = false;
  let heardAt = performance.now();

  function look(): void {
    const silentMs = performance.now() - heardAt;
    if (isPaused || silentMs < 2 * timeoutMs) return;
    end(new SilentServer(`The server has sent nothing for ${Math.round(silentMs)} ms`));
  }

  async function stream(request: StreamRequest): Promise<never> {
    heardAt = performance.now();
    connection.on('copyData', ({ chunk }: { chunk: Buffer }) => {
      heardAt = performance.now();
      try {
        request.onFrame(chunk);
      } catch (error) {
        end(error);
      }
    });
    const watch = timeoutMs === 0 ? undefined : setInterval(look, timeoutMs / 4);
    try {
      const over = client.query(startSql(request)).then(() => {
        throw new Error('Connection terminated by the server, which is shutting down');
      });
      return await Promise.race([ended, over]);
    } finally {
      clearInterval(watch);
    }
  }

  function say(status: Pick<StandbyStatus, 'written' | 'flushed'>): void {
    const isReplyWanted = !isPaused && performance.now() - heardAt > timeoutMs / 2;
    connection.sendCopyFromChunk(encodeStatus({ ...status, isReplyWanted }, Date.now()));
  }

  function setPaused(paused: boolean): void {
    if (paused === isPaused) return;
    isPaused = paused;
    heardAt = performance.now();
    if (paused) connection.stream.pause();
    else connection.stream.resume();
  }

  async function close(): Promise<void> {
    connection.removeAllListeners('copyData');
    connection.stream.resume(); // a socket that is not read does not end
    const late = setTimeout(() => connection.stream.destroy(), CLOSE_MS);
    connection.end();
    await gone;
    clearTimeout(late);
  }

  return {
    timeoutMs,
    stream,
    say,
    setPaused,
    close,
  };
}

async function prepareSession(client: pg.Client): Promise<number> {
  try {
    await client.query(SESSION_SQL);
    const { rows } = await client.query<{ setting: string }>(
      `select setting from pg_catalog.pg_settings where name = 'wal_sender_timeout'`,
    );
    return Number(rows[0]?.setting);
  } catch (error) {
    await client.end();
    throw error;
  }
}

function startSql({ slot, publication, from }: StreamRequest): string {
  const publications = pg.escapeLiteral(pg.escapeIdentifier(publication));
  return `START_REPLICATION SLOT ${pg.escapeIdentifier(slot)} LOGICAL ${formatLsn(from)} (proto_version '1', publication_names ${publications}, messages 'true')`;
}
