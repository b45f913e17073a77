import type { QueryResult, QueryResultRow } from 'pg';

import type { Db, Query, Sql } from '../../src/db/db.ts';

/** Queries that may write, by the beginning of their name or text. */
const WRITES = /^(?:commit|release|confirm|acquire|insert|delete|update|with)/u;

/** Counts what is under way at Postgres, so that a test knows when nothing is. */
export interface Busy {
  readonly open: number;
  wrote: boolean;
  track<T>(work: Promise<T>, writes: boolean): Promise<T>;
  /** Resolves when one of those open has ended. */
  next(): Promise<void>;
}

export function createBusy(): Busy {
  let open = 0;
  let waiting = Promise.withResolvers<void>();
  const busy = {
    get open() {
      return open;
    },
    wrote: false,
    next: () => waiting.promise,
    track: async <T>(work: Promise<T>, writes: boolean): Promise<T> => {
      open += 1;
      try {
        return await work;
      } finally {
        open -= 1;
        busy.wrote ||= writes;
        const { resolve } = waiting;
        waiting = Promise.withResolvers<void>();
        resolve();
      }
    },
  };
  return busy;
}

/** The database with each of its calls counted while it is open. */
export function counted(db: Db, busy: Busy): Db {
  const count = (sql: Sql): Sql['query'] => {
    return <R extends QueryResultRow>(query: Query | string): Promise<QueryResult<R>> => {
      const name = typeof query === 'string' ? query : (query.name ?? query.text.trim());
      return busy.track(sql.query<R>(query), WRITES.test(name));
    };
  };
  return {
    ...db,
    query: count(db),
    transaction: (work) => busy.track(db.transaction(work), true),
    pipe: { ...db.pipe, query: count(db.pipe) },
    leases: { ...db.leases, query: count(db.leases) },
  };
}

/** One process's way to Postgres. When it is dead nothing goes through, and nothing comes back. */
export interface Gate extends Sql {
  readonly dead: boolean;
  kill(): void;
  /** Dies now (null) or at the `calls`th next query, before or after it is run. */
  crash(calls: number | null, run: boolean): void;
}

/** Calls `die` where a query has been chosen to be the last one. */
export function createGate(sql: Sql, die: () => void): Gate {
  let dead = false;
  let left = Infinity;
  let runsLast = false;
  const never = new Promise<never>(() => undefined);

  async function query<R extends QueryResultRow>(asked: Query | string): Promise<QueryResult<R>> {
    if (dead) return never;
    left -= 1;
    const fatal = left < 0;
    if (fatal && !runsLast) {
      die();
      return never;
    }
    const made = await sql.query<R>(asked).then(
      (result) => ({ result }),
      (error: unknown) => ({ error }),
    );
    if (fatal && !dead) die();
    if (dead) return never;
    if ('error' in made) throw made.error;
    return made.result;
  }

  return {
    query,
    get dead() {
      return dead;
    },
    kill: () => {
      dead = true;
    },
    crash: (calls, run) => {
      if (calls === null) {
        if (!dead) die();
        return;
      }
      left = calls;
      runsLast = run;
    },
  };
}
