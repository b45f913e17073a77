import { randomBytes, randomUUID } from 'node:crypto';

import { openDb, type Db } from '../../src/db/db.ts';
import { createListener } from '../../src/db/listener.ts';
import { newSeed } from '../../src/db/seed.ts';
import { createVault } from '../../src/db/vault.ts';
import { createDatabaseSockets } from '../../src/egress/databaseSocket.ts';
import type { Source, SourceTableState } from '../../src/schema/source.ts';
import type { Followed, FollowSourceDeps } from '../../src/sources/followSource.ts';
import { createSources, type Sources } from '../../src/sources/sources.ts';
import { createInspectDatabase } from '../../src/sources/testDatabase.ts';
import { createAppender } from '../../src/streams/append.ts';
import { createPasses } from '../../src/streams/passes.ts';
import { LOOPBACK } from './app.ts';
import { createDatabase, PATIENT } from './database.ts';
import { keepFollowing } from './keepFollowing.ts';
import { until } from './poll.ts';
import { dropSlots } from './slots.ts';
import type { SourcePostgres, SourceSession } from './sourcePostgres.ts';
import { silent } from './streams.ts';

/** Millrace's database, and one of somebody's whose tables are followed. */
export interface FollowedSource extends AsyncDisposable {
  db: Db;
  /** Of Millrace. */
  databaseUrl: string;
  sources: Sources;
  /** Of the database that is followed. */
  url: string;
  readonly session: SourceSession;
  /** Opens the session anew, once its server was killed and started again. */
  reconnect(): Promise<void>;
  /** What a follower is given. */
  deps: FollowSourceDeps;
  /** Creates a source of tables in `public`. */
  create(...tables: string[]): Promise<Source>;
  /** Follows it as a worker does whose attempts Temporal repeats, until it is stopped or has nothing to follow. */
  follow(id: string, deps?: Partial<FollowSourceDeps>): Following;
  get(id: string): Promise<Source>;
  /** Resolves once all tables are in these states. */
  areIn(id: string, ...states: SourceTableState[]): Promise<Source>;
  /** Resolves once everything is stored that the database has committed so far. */
  caughtUp(id: string): Promise<void>;
}

/** A source that is followed. */
export interface Following {
  ended: Promise<Followed>;
  /** What has ended attempts. */
  errors: Error[];
  stop(): Promise<Followed>;
}

/** A stalled process may not renew it for some seconds. */
const LEASE_MS = 20_000;

/** Opens both. Every table of the source database is dropped with it. */
export async function openFollowedSource(
  postgres: SourcePostgres,
  { leaseMs = LEASE_MS } = {},
): Promise<FollowedSource> {
  const own = await createDatabase();
  const db = openDb({ url: own.url, ...PATIENT, onError: () => undefined });
  const url = await postgres.createDatabase();
  let session = await postgres.connect(url);
  const vault = createVault([{ id: 'test', key: randomBytes(32) }]);
  const sockets = createDatabaseSockets({ allowCidrs: LOOPBACK });
  const inspect = createInspectDatabase(sockets.open);
  const sources = createSources({ db, vault, region: 'test', sockets, inspect, removeMs: 20_000 });
  const listener = createListener({ url: own.url, log: silent });
  const appender = createAppender({ db, url: own.url, ...PATIENT, log: silent });
  const deps: FollowSourceDeps = {
    db,
    vault,
    listener,
    appender,
    passes: createPasses({ db }),
    openSocket: sockets.open,
    holder: `test/${randomUUID()}`,
    leaseMs,
    log: silent,
  };
  const followings: Following[] = [];

  function follow(id: string, more: Partial<FollowSourceDeps> = {}): Following {
    const stopping = new AbortController();
    const errors: Error[] = [];
    const following: Following = {
      errors,
      ended: keepFollowing({ ...deps, ...more }, id, { signal: stopping.signal, errors }),
      stop: () => {
        stopping.abort();
        return following.ended;
      },
    };
    followings.push(following);
    return following;
  }

  async function get(id: string): Promise<Source> {
    const source = await sources.get(id);
    if (source === null) throw new Error(`there is no source ${id}`);
    return source;
  }

  async function caughtUp(id: string): Promise<void> {
    const [[end] = []] = await session.rows('select pg_current_wal_lsn()');
    const { slot } = await get(id);
    await until(async () => {
      const [[isThere] = []] = await session.rows(
        'select confirmed_flush_lsn >= $1::pg_lsn from pg_replication_slots where slot_name = $2',
        [end, slot],
      );
      return isThere === 't';
    });
  }

  async function dispose(): Promise<void> {
    await Promise.allSettled(followings.map((one) => one.stop()));
    await dropSlots(session);
    await session[Symbol.asyncDispose]();
    await Promise.all([appender.close(), listener.close()]);
    await db.close();
    await own[Symbol.asyncDispose]();
  }

  return {
    db,
    databaseUrl: own.url,
    sources,
    url,
    get session() {
      return session;
    },
    reconnect: async () => {
      session = await postgres.connect(url);
    },
    deps,
    create: (...tables) => {
      const name = `Shop ${randomUUID()}`;
      const named = tables.map((table) => `public.${table}`);
      const input = { name, kind: 'postgres' as const, url, ca: null, expect_within: null };
      return sources.create({ ...input, tables: named }, newSeed());
    },
    follow,
    get,
    areIn: (id, ...states) =>
      until(async () => {
        const source = await get(id);
        return source.tables.every(({ state }) => states.includes(state)) && source;
      }),
    caughtUp,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Whether all tables are read; confirms what they ask. */
export async function isRead(sources: Sources, id: string): Promise<boolean> {
  const { tables = [] } = (await sources.get(id)) ?? {};
  const asking = tables.filter(({ state }) => state === 'asking').map(({ table }) => table);
  if (asking.length > 0) await sources.snapshot(id, { tables: asking, confirm: true });
  return tables.length > 0 && tables.every(({ state }) => state === 'following');
}
