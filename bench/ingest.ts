import { randomUUIDv7 } from 'node:crypto';

import type { Client } from 'pg';

import { textArray } from '../src/db/arrayLiteral.ts';
import type { ImportSettings } from './import.ts';
import { runChild } from './instruments/child.ts';
import type { Figure } from './instruments/figures.ts';
import type { Installation } from './instruments/installation.ts';
import { rowOf } from './instruments/rows.ts';

const ROWS_A_STATEMENT = 5_000;

/**
 * Measures NDJSON imports, and for comparison plain `insert … select from unnest` of the same rows into the
 * same Postgres.
 */
export async function ingest(installation: Installation, rows: number): Promise<Figure[]> {
  await plainInsert(installation.sql, Math.min(rows, 2 * ROWS_A_STATEMENT)); // warms up
  const plain = await plainInsert(installation.sql, rows);
  const events = await importRows(installation, 'events', rows);
  const records = await importRows(installation, 'records', rows);
  const unit = 'rows/s';
  return [
    {
      name: 'plain insert … unnest',
      value: plain,
      unit,
      note: 'a table like events, key by position',
    },
    { name: 'ingest: events', value: events, unit, note: 'NDJSON, one request' },
    { name: 'ingest: events to plain', value: events / plain, unit: '' },
    { name: 'ingest: records', value: records, unit, note: 'all new; each makes an event too' },
    { name: 'ingest: records to plain', value: records / plain, unit: '' },
  ];
}

async function importRows(
  installation: Installation,
  stream: ImportSettings['stream'],
  rows: number,
): Promise<number> {
  const { url, apiKey } = installation;
  const settings: ImportSettings = { url, apiKey, stream, rows };
  const file = new URL('./import.ts', import.meta.url);
  return (await runChild<{ perSecond: number }>(file, settings)).perSecond;
}

/** The rows a second that Postgres inserts by itself, one statement and commit at a time. */
async function plainInsert(sql: Client, rows: number): Promise<number> {
  await sql.query(
    'create table bench_rows (like events including defaults, primary key (position))',
  );
  const all = Array.from({ length: rows }, (_, index) => rowOf(index));
  const from = performance.now();
  for (let done = 0; done < rows; done += ROWS_A_STATEMENT) {
    const part = all.slice(done, done + ROWS_A_STATEMENT);
    await sql.query({
      name: 'plain-insert',
      text: `
        insert into bench_rows (position, event_id, event, sync_id, collection_id, upstream_id, data,
                                size, event_inserted_at)
        select $1::bigint + n, event_id, 'updated', sync_id, collection_id, upstream_id, data,
               octet_length(data), now()
          from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
               with ordinality as input (event_id, sync_id, collection_id, upstream_id, data, n)`,
      values: [
        done,
        textArray(part.map(() => randomUUIDv7())),
        textArray(part.map((row) => row.syncId)),
        textArray(part.map((row) => row.collectionId)),
        textArray(part.map((row) => row.upstreamId)),
        textArray(part.map((row) => row.data)),
      ],
    });
  }
  const seconds = (performance.now() - from) / 1_000;
  await sql.query('drop table bench_rows');
  return rows / seconds;
}
