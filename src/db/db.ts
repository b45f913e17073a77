import pg from 'pg';

import { isConflict, isReadOnly } from './errors.ts';
import { isAtWork } from './sessions.ts';

/** The type ids of int2[], int4[] and int8[], for which the driver has no names. */
const INT_ARRAYS = [1005, 1007, 1016];
// int8 becomes a number: positions and counts stay far below 2^53, above which numbers are not exact.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);
// Arrays of integers have no nulls here, and are read without the driver's parser, which looks at each character.
// oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- the driver's list of ids is short
for (const id of INT_ARRAYS) pg.types.setTypeParser(id, parseIntegers);
// timestamptz becomes RFC 3339 text in UTC; every connection below sets its time zone to UTC.
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, toRfc3339);

function parseIntegers(value: string): number[] {
  const inner = value.slice(1, -1);
  return inner === '' ? [] : inner.split(',').map(Number);
}

/** Turns Postgres' text of a time in UTC into RFC 3339: `2026-11-23T10:00:00.5Z`. */
export function toRfc3339(value: string): string {
  return `${value.slice(0, 10)}T${value.slice(11).replace(/\+00$/u, '')}Z`;
}

/** A statement with its values. */
export interface Query<T extends unknown[] = unknown[]> {
  text: string;
  values?: T;
  /** The name under which each connection prepares the statement once. */
  name?: string;
  /** How long its answer may take, ms, where that is longer than for other statements. */
  query_timeout?: number;
}

/** Something that runs SQL: the pool, a transaction, or the shared pipelined connection. */
export interface Sql {
  query<R extends pg.QueryResultRow>(query: Query | string): Promise<pg.QueryResult<R>>;
}

/** A database, by a pool of connections and pipelined ones. */
export interface Db extends Sql, AsyncDisposable {
  /**
   * Runs `work` in one transaction; rolls back and rethrows when it throws. After a conflict with another
   * transaction (a deadlock) it runs again, so it must have no effects outside the transaction.
   */
  transaction<T>(work: (tx: Sql) => Promise<T>): Promise<T>;
  /** One shared connection that pipelines single statements (twice a pool's rate). */
  pipe: Pipe;
  /** Another such connection, for leases: their renewal must not wait behind statements for thousands of rows. */
  leases: Pipe;
  /** How many connections of the pool are in use or idle, and how many callers wait for one. */
  connections(): { active: number; idle: number; waiting: number };
  close(): Promise<void>;
}

/** One connection that sends statements without waiting for the answers to earlier ones. */
export interface Pipe extends Sql, AsyncDisposable {
  /** Sends `begin`, the queries and `commit` together: a transaction in one round trip. */
  transaction(queries: Query[]): Promise<pg.QueryResult[]>;
  /**
   * Runs a transaction in two round trips: `first`, then the queries that `next` derives from the
   * answers. Nothing else may use the pipe meanwhile.
   */
  exchange(first: Query[], next: (results: pg.QueryResult[]) => Query[]): Promise<pg.QueryResult[]>;
  /** Connects unless it is connected. When this throws, nothing has been sent. */
  ready(): Promise<void>;
  /**
   * Breaks a connection on which answers do not come: the queries that wait for them fail, and the next query
   * opens another one.
   */
  drop(): void;
  close(): Promise<void>;
}

export interface DbOptions {
  url: string;
  /** The largest number of connections in the pool; 10 unless given. */
  max?: number;
  applicationName?: string;
  /** A minute unless given. A connection without an answer for much longer counts as lost. */
  statementTimeoutMs?: number;
  /** How long a query waits at most for a connection, ms; 5 s unless given. */
  connectMs?: number;
  /** After this long without an answer, a pipe asks whether Postgres still works on it, ms; 10 s unless given. */
  silenceMs?: number;
  onError: (error: Error) => void;
}

/** How many times work that meets a conflict is tried before the conflict is thrown. */
const CONFLICTS = 4;
const STATEMENT_TIMEOUT_MS = 60_000;
const SILENCE_MS = 10_000;
const CONNECT_MS = 5_000;
/** How long after the time for a statement its answer may come, ms; then its connection counts as lost. */
export const ANSWER_MS = 2_000;

/**
 * Opens a pool and two pipes on one database. Each connects when it is first used, and again after a loss. A
 * connection whose server accepts no writes is dropped, together with those opened before it: after a failover
 * they lead to a standby, and a new one finds the primary.
 */
export function openDb(options: DbOptions): Db {
  const pool = new pg.Pool({
    ...connection(options),
    max: options.max ?? 10,
    idleTimeoutMillis: 30_000,
    query_timeout: (options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS) + ANSWER_MS,
  });
  pool.on('error', options.onError);
  const pipe = openPipe(options);
  const leases = openPipe(options);
  const open = new Set<pg.PoolClient>();
  const stale = new WeakSet<pg.PoolClient>();
  pool.on('connect', (client) => {
    client.on('error', () => undefined); // while it is in use, its query or its rollback fails as well
    open.add(client);
  });
  pool.on('remove', (client) => open.delete(client));

  async function take(): Promise<pg.PoolClient> {
    for (;;) {
      const client = await pool.connect();
      if (!stale.has(client)) return client;
      client.release(true);
    }
  }

  function notice(error: unknown): void {
    if (isReadOnly(error)) for (const client of open) stale.add(client);
  }

  async function query<R extends pg.QueryResultRow>(text: Query | string) {
    const client = await take();
    let failed: Error | undefined;
    try {
      return await client.query<R>(text as string);
    } catch (error) {
      failed = error as Error;
      notice(error);
      throw error;
    } finally {
      client.release(failed);
    }
  }

  async function transaction<T>(work: (tx: Sql) => Promise<T>): Promise<T> {
    const client = await take();
    let broken: Error | undefined;
    try {
      await client.query('begin');
      const result = await work(client);
      await client.query('commit');
      return result;
    } catch (error) {
      notice(error);
      await client.query('rollback').catch((lost: Error) => {
        broken = lost; // the connection is lost, and the transaction with it
      });
      throw error;
    } finally {
      client.release(broken ?? stale.has(client));
    }
  }

  async function close(): Promise<void> {
    await Promise.all([pool.end(), pipe.close(), leases.close()]);
  }

  return {
    query: (text) => withoutConflicts(() => query(text)),
    transaction: (work) => withoutConflicts(() => transaction(work)),
    pipe,
    leases,
    connections: () => ({
      active: pool.totalCount - pool.idleCount,
      idle: pool.idleCount,
      waiting: pool.waitingCount,
    }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** A connection of a pipe, from the first use to its end. */
interface Line {
  opened: Promise<pg.Client>;
  underWay: number;
  /** Monotonic ms; or when something began after a time in which nothing was under way. */
  answeredAt: number;
  isAsked: boolean;
}

/**
 * Opens a pipe. If its connection is lost, the open queries fail, and the next query connects again; as
 * well after its server has answered that it takes no writes. A server that has gone without a word would else be
 * waited for, for a quarter of an hour: when no answer has come for ten seconds, Postgres is asked over another
 * connection, and if it does not work on anything for this one, that counts as lost; as it does when no answer comes
 * for longer than any statement may take.
 */
export function openPipe(options: DbOptions): Pipe {
  let current: Line | null = null;
  const lines = new Set<Line>(); // also those that were set aside, until they have ended
  const { silenceMs = SILENCE_MS } = options;
  const mostMs = 2 * (options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS) + ANSWER_MS; // an exchange has two answers
  const watch = setInterval(() => lines.forEach(look), Math.min(silenceMs, mostMs) / 4).unref();

  function look(line: Line): void {
    const silentMs = line.underWay === 0 ? 0 : performance.now() - line.answeredAt;
    if (silentMs > mostMs) abandon(line);
    else if (silentMs > silenceMs && !line.isAsked) void ask(line);
  }

  /** Abandons a connection for which the server does nothing, although an answer is waited for. */
  async function ask(line: Line): Promise<void> {
    const { answeredAt } = line;
    line.isAsked = true;
    try {
      const asked = { ...connection(options), query_timeout: ANSWER_MS };
      const { processID } = (await line.opened) as pg.Client & { processID: number | null };
      const isServed = processID === null || (await isAtWork(asked, processID));
      if (!isServed && line.answeredAt === answeredAt) abandon(line);
    } catch (error) {
      options.onError(error as Error); // Postgres is not available: nothing is known of the connection
    } finally {
      line.isAsked = false;
    }
  }

  function connect(): Line {
    if (current !== null) return current;
    const client = new pg.Client({ ...connection(options), pipeline: true });
    const forget = (): void => {
      lines.delete(line);
      if (current === line) current = null;
    };
    client.on('error', (error) => {
      forget();
      options.onError(error);
    });
    client.on('end', forget);
    const opened = client.connect().then(
      () => client,
      (error: unknown) => {
        forget();
        throw error;
      },
    );
    const line: Line = { opened, underWay: 0, answeredAt: 0, isAsked: false };
    lines.add(line);
    current = line;
    return line;
  }

  /**
   * Works on the connection; drops it when the server accepts no writes, once all queries that were sent are
   * answered.
   */
  async function onClient<T>(work: (client: pg.Client) => Promise<T>): Promise<T> {
    const line = connect();
    const client = await line.opened;
    if (line.underWay === 0) line.answeredAt = performance.now();
    line.underWay += 1;
    try {
      return await work(client);
    } catch (error) {
      if (isReadOnly(error) && current === line) {
        current = null;
        const last = client.query('select 1').catch(() => undefined); // it is answered after all others
        void last.then(() => client.end());
      }
      throw error;
    } finally {
      line.underWay -= 1;
      line.answeredAt = performance.now();
    }
  }

  async function transaction(client: pg.Client, queries: Query[]): Promise<pg.QueryResult[]> {
    const sent = [
      client.query('begin'),
      ...queries.map((query) => client.query(query)),
      client.query('commit'),
    ];
    return (await all(sent)).slice(1, -1); // a failed query has turned the commit into a rollback
  }

  async function exchange(
    client: pg.Client,
    first: Query[],
    next: (results: pg.QueryResult[]) => Query[],
  ): Promise<pg.QueryResult[]> {
    const send = (queries: (Query | string)[]): Promise<pg.QueryResult[]> =>
      all(queries.map((query) => client.query(query as Query)));
    try {
      const queries = next((await send(['begin', ...first])).slice(1));
      return (await send([...queries, 'commit'])).slice(0, -1);
    } catch (error) {
      await client.query('rollback').catch(() => undefined); // if it is lost, Postgres rolls back
      throw error;
    }
  }

  function abandon(line: Line): void {
    lines.delete(line);
    if (current === line) current = null;
    // To end it would wait for the answers.
    line.opened.then((client) => client.connection.stream.destroy()).catch(options.onError);
  }

  async function close(): Promise<void> {
    clearInterval(watch);
    const open = current;
    current = null;
    if (open !== null) {
      const client = await open.opened.catch(() => null); // never opened: there is nothing to end
      await client?.end();
    }
  }

  return {
    query: (query) => withoutConflicts(() => onClient((client) => client.query(query as string))),
    transaction: (queries) =>
      withoutConflicts(() => onClient((client) => transaction(client, queries))),
    exchange: (first, next) =>
      withoutConflicts(() => onClient((client) => exchange(client, first, next))),
    ready: async () => void (await connect().opened),
    drop: () => {
      if (current !== null) abandon(current);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Repeats work while it meets a conflict, which has undone it; the last conflict is thrown. */
async function withoutConflicts<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries === CONFLICTS || !isConflict(error)) throw error;
    }
  }
}

/** Waits for all queries; then throws the first error, if there is one. */
async function all(sent: Promise<pg.QueryResult>[]): Promise<pg.QueryResult[]> {
  const settled = await Promise.allSettled(sent);
  return settled.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
}

/** Compiling a statement (`jit`) takes longer than it saves for any statement of Millrace. */
function connection(options: DbOptions): pg.ClientConfig {
  return {
    connectionString: options.url,
    application_name: options.applicationName ?? 'millrace',
    options: `-c timezone=UTC -c statement_timeout=${options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS} -c idle_in_transaction_session_timeout=60000 -c random_page_cost=1.1 -c jit=off`,
    keepAlive: true,
    connectionTimeoutMillis: options.connectMs ?? CONNECT_MS,
  };
}
