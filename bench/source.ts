import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { Pool } from 'pg';

import { startPostgres } from '../src/embedded/postgres.ts';
import type { Source } from '../src/schema/source.ts';
import { clockMs } from './instruments/clock.ts';
import { countRows } from './instruments/count.ts';
import { cpuFigures } from './instruments/cpu.ts';
import { named, type Figure } from './instruments/figures.ts';
import type { Installation } from './instruments/installation.ts';
import { peakRss, workerMemory } from './instruments/rss.ts';

const TABLE = 'public.item';
/** A snapshot has so many times the rows of the log. */
const SNAPSHOT = 10;
const GOALS = { snapshot: 20_000, log: 10_000, p50: 30, workerMb: 300 };
const A_TRANSACTION = 100;
const CONNECTIONS = 8;
const PAD = 'x'.repeat(200);
const RATE = 200;
const SECONDS = 20;
const READ_MS = 600_000;
const ARRIVED_MS = 30_000;

/**
 * Measures a Postgres that is followed: reading a table, then changes that wait in its log (updates in transactions of
 * 100), and the time from a commit to its webhook at 200 updates a second.
 */
export async function source(installation: Installation, entries: number): Promise<Figure[]> {
  await using database = await openDatabase();
  const { sql } = database;
  const rows = SNAPSHOT * entries;
  await sql.query(
    `create table item (id bigint primary key, number integer not null, name text, amount numeric(12, 2), note text,
                        changed_at timestamptz not null default now(), sent_at float8)`,
  );
  await sql.query(
    `insert into item select n, n % 1000, 'item ' || n, n / 7.0, $2 from generate_series(1, $1::bigint) n`,
    [rows, PAD],
  );
  await sql.query('vacuum analyze item');
  const before = peakRss(installation.pids()['worker'] ?? null);
  const followed = await follow(installation, database.url);
  return [
    ...(await snapshot(installation, followed, rows)),
    { name: 'peak memory of the worker before', value: before ?? 0, unit: 'MB' },
    ...(await log(installation, followed, { sql, rows, changes: 2 * entries })),
    ...(await latency(installation, { sql, rows })),
  ];
}

async function openDatabase(): Promise<AsyncDisposable & { url: string; sql: Pool }> {
  await using started = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-source-'));
  await chmod(folder, 0o711); // Postgres runs as another user when we are root
  started.defer(() => rm(folder, { recursive: true, force: true }));
  const postgres = await startPostgres({
    dataDir: folder,
    say: (line) => process.stderr.write(`  ${line}\n`),
    settings: { wal_level: 'logical' },
  });
  started.defer(() => postgres.stop());
  const sql = new Pool({ connectionString: postgres.url, max: CONNECTIONS });
  sql.on('error', () => undefined); // a session ends with its server; what fails with it rejects
  started.defer(() => sql.end());
  const running = started.move();
  return { url: postgres.url, sql, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}

/** The path of a source, which is followed from now on. */
async function follow(installation: Installation, url: string): Promise<string> {
  const input = { kind: 'postgres', name: 'bench', url, tables: [TABLE] };
  const { id } = await installation.api<Source>('POST', '/v1/sources', input);
  return `/v1/sources/${id}`;
}

async function snapshot(
  installation: Installation,
  followed: string,
  rows: number,
): Promise<Figure[]> {
  const from = performance.now();
  const { cpu } = await installation.usage(() =>
    installation.until('the table is read', () => isFollowed(installation, followed), READ_MS),
  );
  const perSecond = (rows / (performance.now() - from)) * 1_000;
  const records = await countRows(installation, 'records', 'not deleted');
  return named('snapshot', [
    { name: 'rows', value: perSecond, unit: 'rows/s', goal: { least: GOALS.snapshot } },
    { name: 'missing', value: rows - records, unit: 'records', goal: { most: 0 } },
    ...cpuFigures(cpu, rows / 1_000),
    ...workerMemory(installation, { most: GOALS.workerMb }),
  ]);
}

async function isFollowed(installation: Installation, followed: string): Promise<boolean> {
  const { status, status_reason: reason, tables } = await installation.api<Source>('GET', followed);
  if (status === 'failed') throw new Error(`the source has failed: ${reason}`);
  return tables.every(({ state }) => state === 'following');
}

async function lastEvent({ sql }: Installation): Promise<number> {
  const { rows } = await sql.query<{ last: string }>(
    `select last_position as last from streams where name = 'events'`,
  );
  return Number(rows[0]?.last);
}

interface Changed {
  /** Sessions in the database that is followed. */
  sql: Pool;
  rows: number;
}

/** The changes are made while the source is paused, so that making them takes no time from following them. */
async function log(
  installation: Installation,
  followed: string,
  { sql, rows, changes }: Changed & { changes: number },
): Promise<Figure[]> {
  await installation.api('POST', `${followed}/pause`);
  const begin = await lastEvent(installation);
  await sql.query(
    `do $$ begin
       for part in 0 .. ${changes / A_TRANSACTION - 1} loop
         update item set number = number + 1, amount = amount + 1, changed_at = clock_timestamp()
          where id in (select 1 + (part * ${A_TRANSACTION} + n) * 7919::bigint % ${rows}
                         from generate_series(0, ${A_TRANSACTION - 1}) n);
         commit;
       end loop;
     end $$`,
  );
  const from = performance.now();
  const { cpu } = await installation.usage(async () => {
    await installation.api('POST', `${followed}/resume`);
    await installation.until(
      'all changes are appended',
      async () => (await lastEvent(installation)) - begin >= changes,
      READ_MS,
    );
  });
  const perSecond = (changes / (performance.now() - from)) * 1_000;
  return named('log', [
    {
      name: 'changes',
      value: perSecond,
      unit: 'rows/s',
      goal: { least: GOALS.log },
      note: `from resuming; in transactions of ${A_TRANSACTION}`,
    },
    ...cpuFigures(cpu, changes / 1_000),
    ...workerMemory(installation, { most: GOALS.workerMb }),
  ]);
}

async function latency(installation: Installation, { sql, rows }: Changed): Promise<Figure[]> {
  const consumer = await installation.consumer({
    start: 'end',
    collections: [`postgres:${TABLE}`],
  });
  const change = (nth: number): Promise<unknown> =>
    sql.query({
      name: 'change',
      text: 'update item set number = number + 1, sent_at = $2 where id = $1',
      values: [1 + ((nth * 104_729) % rows), clockMs()],
    });
  await change(0); // the consumer is active then
  await wait(1_000);
  await installation.endpoint.reset({ latency: true });
  const total = RATE * SECONDS;
  const from = performance.now();
  const made: Promise<unknown>[] = [];
  for (let nth = 1; nth <= total; nth += 1) {
    const early = from + (nth * 1_000) / RATE - performance.now();
    if (early > 1) await wait(early);
    made.push(change(nth));
  }
  await Promise.all(made);
  await installation.endpoint.gets(total, ARRIVED_MS);
  const { p50, p95, p99 } = await installation.endpoint.latency();
  await installation.api('DELETE', `/v1/consumers/${consumer.id}`);
  return named(`at ${RATE}/s: change → received`, [
    { name: 'p50', value: p50, unit: 'ms', goal: { most: GOALS.p50 } },
    { name: 'p95', value: p95, unit: 'ms' },
    { name: 'p99', value: p99, unit: 'ms' },
  ]);
}
