import { afterAll, beforeAll } from 'vitest';

import { openDb, type Db, type Pipe, type Sql } from '../../src/db/db.ts';
import { createDatabase, PATIENT, type TestDatabase } from './database.ts';

const FILL_MS = 240_000;

/** A database with many rows, in which it is seen how Postgres carries out statements. */
export interface ManyRows {
  readonly db: Db;
  /**
   * What is wrong with how the statements that `work` runs are carried out: which of the indexes none of them
   * uses, and which large tables they read whole. Small tables and empty partitions may be read whole.
   */
  faults(work: (sql: Db) => Promise<unknown>, indexes: readonly RegExp[]): Promise<string[]>;
}

/**
 * Gives the tests of a file a database that `fill`, one or several statements, has filled. `large`: the tables that
 * must not be read whole, with their partitions; all unless given.
 */
export function manyRowsOfFile({ fill, large }: { fill: string; large?: string[] }): ManyRows {
  let database: TestDatabase | null = null;
  let db: Db | null = null;
  beforeAll(async () => {
    database = await createDatabase();
    db = openDb({
      url: database.url,
      ...PATIENT,
      statementTimeoutMs: FILL_MS,
      onError: () => undefined, // a lost connection also fails the query on it
    });
    await db.query(fill);
    await db.query('vacuum analyze');
  }, FILL_MS);
  afterAll(async () => {
    await db?.close();
    await database?.[Symbol.asyncDispose]();
  });

  const tables =
    large === undefined ? String.raw`[^(]*` : String.raw`(?:${large.join('|')})\w* [^(]*`;
  const whole = new RegExp(String.raw`Seq Scan on ${tables}\(cost=[\d.]+\.\.\d{3,}.*`, 'gu');

  function open(): Db {
    if (db === null) throw new Error('The database is there inside of a test only');
    return db;
  }

  return {
    get db() {
      return open();
    },
    faults: async (work, indexes) => {
      const plans = await plansOf(open(), work);
      const unused = indexes.filter((index) => !index.test(plans));
      return [
        ...unused.map((index) => `nothing matches ${index} in\n${plans}`),
        ...(plans.match(whole) ?? []),
      ];
    },
  };
}

const IDS = '01a22282-0000-7000-8000-';

/** The id with a number. */
export function numberedId(n: number): string {
  return `${IDS}${String(n).padStart(12, '0')}`;
}

/** The same in SQL, for an expression. */
export function uuidOf(n: string): string {
  return `('${IDS}' || lpad((${n})::text, 12, '0'))::uuid`;
}

/** SQL that inserts targets with the ids 1 to `count`. What is given of them are SQL expressions over `n`. */
export function manyTargets(
  count: number,
  given: { name?: string; createdAt?: string } = {},
): string {
  const { name = `'t' || n`, createdAt = 'now()' } = given;
  return `
    insert into targets (id, name, kind, base_url, credentials, headers, signing_secret, timeout_ms,
                         max_in_flight, metadata, created_at, updated_at)
    select ${uuidOf('n')}, ${name}, 'webhook', 'http://a', '', '{}', '', 15000, 64, '{}', ${createdAt}, now()
      from generate_series(1, ${count}) n;`;
}

/** What many consumers are like: SQL expressions over `n`, which counts from 1. */
export interface ManyConsumers {
  /** The number of the target. */
  target: string;
  name?: string;
  status?: string;
  createdAt?: string;
  /** A statement that inserts their cursors, if they are not to be at the beginning with nothing noted. */
  cursors?: string;
}

/** SQL that inserts consumers of the events stream with the ids 1 to `count`, their filters and their cursors. */
export function manyConsumers(count: number, given: ManyConsumers): string {
  const { target, name = `'c' || n`, status = `'active'`, createdAt = 'now()' } = given;
  const { cursors = 'insert into cursors (consumer_id, position) select id, 0 from consumers' } =
    given;
  return `
    insert into consumers (id, name, target_id, stream, path, ordering, alert_emails, metadata, region,
                           status, filter_version, version, created_at, updated_at)
    select ${uuidOf('n')}, ${name}, ${uuidOf(target)}, 'events', '', 'record', '{}', '{}', 'r',
           ${status}, 1, 1, ${createdAt}, now()
      from generate_series(1, ${count}) n;
    insert into filter_versions select id, 1, 0, '{*}', '{*}', '{*}' from consumers;
    ${cursors};`;
}

/** The plans of the statements that `work` runs, as Postgres carries them out. */
export async function plansOf(db: Db, work: (sql: Db) => Promise<unknown>): Promise<string> {
  const plans: string[] = [];
  const query: Sql['query'] = async (asked) => {
    const { text, values } = typeof asked === 'string' ? { text: asked } : asked;
    const plan = await db.query<Record<'QUERY PLAN', string>>({
      text: `explain (analyze, timing off) ${text}`,
      ...(values === undefined ? {} : { values }),
    });
    plans.push(plan.rows.map((row) => row['QUERY PLAN']).join('\n'));
    return db.query(asked);
  };
  const pipe: Pipe = {
    ...db.pipe,
    query,
    transaction: async (queries) => {
      for (const one of queries) await query(one);
      return [];
    },
  };
  await work({ ...db, query, pipe });
  return plans.join('\n\n');
}
