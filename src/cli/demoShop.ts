import { join } from 'node:path';

import { openDb, type Db } from '../db/db.ts';
import { startPostgres } from '../embedded/postgres.ts';
import type { DemoData } from './demoData.ts';

/** Rows as JSON, without what is null, by their collection and id. */
export type Rows = Map<string, unknown>;

/** A Postgres that knows nothing of Millrace, with two tables of real data. */
export interface Shop extends AsyncDisposable {
  /** With the password of its role. */
  url: string;
  /** The tables that are followed, as the API names them. */
  tables: string[];
  /** Runs statements as one transaction; returns how many rows they wrote. */
  run(...statements: string[]): Promise<number>;
  rows(): Promise<Rows>;
}

const TABLES = `
  create table airports (
    iata      text primary key,
    name      text not null,
    city      text,
    state     text,
    country   text,
    latitude  float8,
    longitude float8
  );
  create table prices (
    symbol text,
    month  date,
    price  numeric(10, 2) not null,
    primary key (symbol, month)
  )`;

/** A change of the tables, as somebody's program or an administrator would make it. */
export interface Act {
  title: string;
  statements: string[];
  /** How many of the rows that they write are two changes of records, as a changed key is. */
  twice?: number;
}

/** What is done to the tables, one after another. */
export const ACTS: Act[] = [
  {
    title: 'An update',
    statements: ["update airports set name = 'Hartsfield-Jackson' where iata = 'ATL'"],
  },
  {
    title: 'Two tables in one transaction',
    statements: [
      "update airports set city = 'Chicago (O''Hare)' where iata = 'ORD'",
      "insert into prices values ('MSFT', '2010-04-01', 29.16), ('AAPL', '2010-04-01', 235.97)",
    ],
  },
  {
    title: 'A key that changes is a deletion and a creation',
    statements: ["update airports set iata = 'JFK-NY' where iata = 'JFK'"],
    twice: 1,
  },
  {
    title: 'A new column',
    statements: [
      'alter table airports add column runways integer',
      "update airports set runways = 6 where iata = 'DFW'",
    ],
  },
  {
    title: 'A deletion of many rows',
    statements: ["delete from airports where state = 'WY'"],
  },
];

/** A change that is made again and again. */
export const LIVE =
  "update prices set price = price + 0.01 where symbol = 'IBM' and month = '2010-03-01'";

/** A change that somebody may try. */
export const OWN = "update airports set city = 'Springfield' where iata = 'LAX'";

/** Starts it in a folder of its own and fills its tables. */
export async function openShop(options: {
  dataDir: string;
  data: DemoData;
  say: (line: string) => void;
}): Promise<Shop> {
  await using opened = new AsyncDisposableStack();
  const postgres = await startPostgres({
    dataDir: join(options.dataDir, 'shop'),
    say: options.say,
    settings: { wal_level: 'logical', shared_buffers: '32MB' },
  });
  opened.defer(() => postgres.stop());
  const db = opened.use(openDb({ url: postgres.url, onError: () => undefined }));
  await fill(db, options.data);
  const running = opened.move();
  return {
    url: postgres.url,
    tables: ['public.airports', 'public.prices'],
    run: (...statements) =>
      db.transaction(async (tx) => {
        let written = 0;
        for (const statement of statements) written += (await tx.query(statement)).rowCount ?? 0;
        return written;
      }),
    rows: () => readRows(db),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

async function fill(db: Db, { airports, months }: DemoData): Promise<void> {
  await db.query(TABLES);
  await db.query({
    text: 'insert into airports select * from json_populate_recordset(null::airports, $1)',
    values: [JSON.stringify(airports)],
  });
  const prices = months.flatMap((month) => month.prices);
  const rows = prices.map(({ symbol, date, price }) => ({ symbol, month: date, price }));
  await db.query({
    text: 'insert into prices select * from json_populate_recordset(null::prices, $1)',
    values: [JSON.stringify(rows)],
  });
}

/** Without what is null: a row that has not changed since a column was added is told of without that column. */
async function readRows(db: Db): Promise<Rows> {
  const { rows } = await db.query<{ name: string; key: string[]; data: unknown }>(`
    select 'airports' as name, array[iata] as key, jsonb_strip_nulls(to_jsonb(a)) as data from airports a
    union all
    select 'prices', array[symbol, month::text], jsonb_strip_nulls(to_jsonb(p)) from prices p`);
  return new Map(
    rows.map(({ name, key, data }) => {
      const id = key.length === 1 ? key[0] : JSON.stringify(key);
      return [`postgres:public.${name} ${id}`, data];
    }),
  );
}
