import type { Sql } from '../../src/db/db.ts';
import type { SourceSession } from './sourcePostgres.ts';
import { eventFaults, tableDifferences } from './sourceRecords.ts';

/** Tables of many kinds, and statements that change them at random. */
export interface Workload {
  /** The names of the tables, in `public`. */
  tables: string[];
  /** Creates the tables with some rows. */
  create(session: SourceSession): Promise<void>;
  /** Statements of one of two writers; each has rows of its own, so that all changes of a row are in one order. */
  next(writer: 0 | 1): string;
  /** What of the records of a sync is not as it should be. */
  faults(sql: Sql, session: SourceSession, syncId: string): Promise<string[]>;
}

const IDS = 400;
const TABLES: { table: string; key: string; from?: string }[] = [
  { table: 't', key: 'id' },
  { table: 'big', key: 'id' },
  { table: 'pair', key: `format('[%s,%s]', a, to_json(b))` },
  { table: 'parted', key: 'id' },
];

/** `draw` gives numbers between 0 and 1. Every change gives its row a higher `seq`. */
export function createWorkload(draw: () => number): Workload {
  const upTo = (most: number): number => Math.floor(draw() * most);
  const one = <T>(list: readonly T[]): T => list[upTo(list.length)]!;
  let columns = 0;

  /** An id of the writer's own. */
  const own = (writer: number): number => 2 * upTo(IDS / 2) + writer;
  const text = (): string => `repeat(md5('${upTo(1e9)}'), ${100 + upTo(100)})`;

  const single: ((writer: 0 | 1) => string)[] = [
    (w) =>
      `insert into t values (${own(w)}, nextval('s'), ${upTo(1e6)} / 7.0, 'ü "${upTo(1e6)}') on conflict do nothing`,
    (w) => `update t set seq = nextval('s'), n = n + 0.1 where id = ${own(w)}`,
    (w) =>
      `update t set seq = nextval('s'), v = null where id % 2 = ${w} and id % 11 = ${upTo(11)}`,
    (w) => `delete from t where id = ${own(w)}`,
    (w) => moved('t', own(w), own(w)),
    (w) => `insert into big values (${own(w)}, nextval('s'), 0, ${text()}) on conflict do nothing`,
    (w) => `update big set seq = nextval('s'), n = n + 1 where id = ${own(w)}`,
    (w) =>
      `update big set seq = nextval('s'), n = n + 1 where id % 2 = ${w} and id % 7 = ${upTo(7)}`,
    (w) => `update big set seq = nextval('s'), large = ${text()} where id = ${own(w)}`,
    (w) => `delete from big where id = ${own(w)}`,
    (w) => moved('big', own(w), own(w)),
    (w) => moved('big', own(w), own(w) - IDS), // before all others
    (w) =>
      `insert into pair values (${w}, 'b${upTo(50)}', nextval('s'), clock_timestamp()) on conflict do nothing`,
    (w) => `update pair set seq = nextval('s'), at = clock_timestamp() where a = ${w}`,
    (w) => `delete from pair where a = ${w} and b = 'b${upTo(50)}'`,
    (w) => `insert into parted values (${own(w)}, nextval('s'), 'p') on conflict do nothing`,
    (w) => `update parted set seq = nextval('s'), v = 'p${upTo(1e6)}' where id = ${own(w)}`,
    (w) => `delete from parted where id = ${own(w)}`,
  ];

  /** A transaction that is stored in parts. */
  function large(writer: number): string {
    const theirs = `id % 2 = ${writer} and id >= ${IDS}`;
    return `begin; delete from parted where ${theirs};
            insert into parted select g, nextval('s'), 'large' from generate_series(${IDS + writer}, ${IDS + 3_000}, 2) g;
            update parted set seq = nextval('s'), v = 'larger' where ${theirs}; commit`;
  }

  function moved(table: string, from: number, to: number): string {
    return `update ${table} set id = ${to}, seq = nextval('s')
             where id = ${from} and not exists (select from ${table} where id = ${to})`;
  }

  function next(writer: 0 | 1): string {
    const kind = draw();
    if (kind < 0.01) return `truncate ${one(['t', 'big', 'pair', 'parted', 't, big'])}`;
    if (kind < 0.02) {
      const column = `c${(columns += 1)}`;
      return `begin; ${one(single)(writer)}; alter table ${one(['t', 'big', 'pair'])} add ${column} text;
              ${one(single)(writer)}; commit`;
    }
    if (kind < 0.03) {
      const table = one(['t', 'pair', 'parted']);
      return `begin; ${one(single)(writer)}; truncate ${table}; ${one(single)(writer)}; commit`;
    }
    if (kind < 0.033) return large(writer);
    if (kind < 0.15) {
      const several = Array.from({ length: 2 + upTo(8) }, () => one(single)(writer));
      return `begin; ${several.join('; ')}; ${draw() < 0.25 ? 'rollback' : 'commit'}`;
    }
    return one(single)(writer);
  }

  async function create(session: SourceSession): Promise<void> {
    await session.run(
      'create sequence s',
      'create table t (id int primary key, seq bigint, n numeric, v text)',
      `insert into t select g, nextval('s'), g / 7.0, 'v' || g from generate_series(0, ${IDS - 1}) g`,
      'create table big (id int primary key, seq bigint, n int, large text)',
      'alter table big alter large set storage external',
      `insert into big select g, nextval('s'), 0, repeat(md5(g::text), 100) from generate_series(0, ${IDS - 1}) g`,
      'create table pair (a int, b text, seq bigint, at timestamptz, primary key (b, a))',
      `insert into pair select g % 2, 'b' || g / 2, nextval('s'), now() from generate_series(0, 99) g`,
      'create table parted (id int primary key, seq bigint, v text) partition by hash (id)',
      'create table p0 partition of parted for values with (modulus 2, remainder 0)',
      'create table p1 partition of parted for values with (modulus 2, remainder 1)',
      `insert into parted select g, nextval('s'), 'p' from generate_series(0, ${IDS - 1}) g`,
    );
  }

  return {
    tables: TABLES.map(({ table }) => table),
    create,
    next,
    faults: async (sql, session, syncId) => {
      const faults = await eventFaults(sql, syncId);
      for (const one of TABLES)
        faults.push(...(await tableDifferences(sql, session, { syncId, ...one })));
      return faults;
    },
  };
}
