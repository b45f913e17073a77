import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

import pg from 'pg';
import type { Logger } from 'pino';

import { ADVISORY_LOCKS } from './advisoryLocks.ts';
import { openDb, type Sql } from './db.ts';
import { isDatabaseAway, isLockTimeout } from './errors.ts';
import { transactionWithLocks, type Locked, type LockPatience } from './lockPatience.ts';
import { ensurePartitions } from './partitions.ts';

const FOLDER = new URL('../../migrations/', import.meta.url);
/** The pause before a database that does not answer is tried again, ms. */
const AGAIN_MS = 250;
/** How long a process waits for Postgres or its migrations before it logs that it waits, ms. */
const SAY_AFTER_MS = 5_000;
/**
 * How long a migration waits for a lock, ms; reads and writes of the table wait behind it for as long. It is
 * more than `deadlock_timeout` (1 s), after which an autovacuum gives way.
 */
const LOCK_WAIT_MS = 2_000;
/** The pause after that, in which reads and writes proceed, ms. */
const LOCK_PAUSE_MS = 8_000;
/** A migration that waits for locks logs that the first time, and then once in so many tries (about a minute). */
const SAY_EACH = 6;

interface Migration {
  name: string;
  text: string;
  sha256: string;
}

/** How a database is migrated beside processes that use it. */
export interface MigrateOptions {
  /** How long a migration waits for a lock, ms; 2 s unless given. */
  lockWaitMs?: number;
  /** The pause before one that did not get its locks is tried again, ms; 8 s unless given. */
  lockPauseMs?: number;
  /** Called after each try of a migration that did not get its locks. */
  onLocked?: (migration: string, locked: Locked) => void;
  /** Gives up a migration that waits for locks: `migrate` then rejects. */
  signal?: AbortSignal;
}

/**
 * Brings the database to this version, each migration in a transaction of its own, and creates the partitions
 * that are due; returns the names of the migrations it applied. Waits for another process that migrates. A
 * migration that needs a lock held by others waits for it 2 s at a time, as often as necessary, so that reads
 * and writes never queue behind it for longer. Throws when the database has migrations that `migrations/` lacks
 * or has in another form.
 */
export async function migrate(url: string, options: MigrateOptions = {}): Promise<string[]> {
  const migrations = await readMigrations();
  const applied = await applyMissing(url, migrations, options);
  await using db = openDb({
    url,
    max: 1,
    applicationName: 'millrace migrate',
    onError: () => undefined, // a lost connection also fails the query on it
  });
  await ensurePartitions(db);
  return applied;
}

/**
 * Migrates as soon as Postgres answers, which may start after this process, unless `signal` aborts
 * first. Rejects when the migration fails for any other reason.
 */
export async function migrateOnceItIsThere(
  url: string,
  log: Pick<Logger, 'info' | 'warn'>,
  signal: AbortSignal,
): Promise<void> {
  const started = performance.now();
  let isSaid = false;
  let againMs = AGAIN_MS;
  while (!signal.aborted) {
    try {
      const applied = await migrate(url, { signal, onLocked: sayLocked(log) });
      if (applied.length > 0) log.info({ applied }, 'migrations applied');
      return;
    } catch (error) {
      if (signal.aborted) return;
      const isLocked = isLockTimeout(error); // of a partition: a migration itself waits for its locks
      if (!isLocked && !isDatabaseAway(error)) throw error;
      if (isLocked) log.warn({ err: error }, 'partitions wait for locks that others hold');
      else if (!isSaid && performance.now() > started + SAY_AFTER_MS) {
        log.warn({ err: error }, 'Postgres is not available yet: this process waits for it');
        isSaid = true;
      }
      againMs = isLocked ? LOCK_PAUSE_MS : AGAIN_MS;
    }
    await pause(againMs, undefined, { signal }).catch(() => undefined); // aborted
  }
}

function sayLocked(log: Pick<Logger, 'warn'>): NonNullable<MigrateOptions['onLocked']> {
  return (migration, { tries, open }) => {
    if (tries % SAY_EACH !== 1) return;
    log.warn(
      { migration, open },
      'a migration waits for locks that other transactions hold, and is tried again every 10 s; it may be one of the oldest',
    );
  };
}

/**
 * Waits until the database has every migration of this version; `server.ts` applies them and may start after
 * this process, and so may Postgres. If that takes 5 s, logs once what it waits for.
 */
export async function untilMigrated(sql: Sql, log: Pick<Logger, 'info' | 'warn'>): Promise<void> {
  const started = performance.now();
  let isSaid = false;
  for (;;) {
    const missing = await pendingMigrations(sql).catch((error: unknown) => {
      if (!isDatabaseAway(error)) throw error;
      return error as Error;
    });
    if (Array.isArray(missing) && missing.length === 0) return;
    if (!isSaid && performance.now() > started + SAY_AFTER_MS) {
      if (Array.isArray(missing)) {
        log.info({ missing }, 'this process waits for the migrations, which server.ts applies');
      } else log.warn({ err: missing }, 'Postgres is not available yet: this process waits for it');
      isSaid = true;
    }
    await pause(AGAIN_MS);
  }
}

/** The names of the migrations that this version has and the database lacks. */
export async function pendingMigrations(sql: Sql): Promise<string[]> {
  const migrations = await readMigrations();
  const { rows } = await sql.query<{ made: boolean }>(
    `select to_regclass('schema_migrations') is not null as made`,
  );
  const done = rows[0]?.made === true ? await readApplied(sql) : new Map<string, string>();
  return migrations.map(({ name }) => name).filter((name) => !done.has(name));
}

async function applyMissing(
  url: string,
  migrations: Migration[],
  options: MigrateOptions,
): Promise<string[]> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'millrace migrate',
    options: '-c timezone=UTC',
    connectionTimeoutMillis: 5_000,
  });
  client.on('error', () => undefined); // the query on it fails with the same error
  await client.connect();
  try {
    const sql = client as Sql;
    await sql.query(`select pg_advisory_lock(${ADVISORY_LOCKS.migrate})`); // ends with the connection
    await sql.query(
      `create table if not exists schema_migrations (
         name       text        primary key,
         sha256     text        not null,
         applied_at timestamptz not null default now()
       )`,
    );
    const done = await readApplied(sql);
    refuseOtherHistory(done, migrations);
    const missing = migrations.filter(({ name }) => !done.has(name));
    for (const migration of missing) await apply(sql, migration, options);
    return missing.map(({ name }) => name);
  } finally {
    await client.end();
  }
}

async function apply(
  sql: Sql,
  { name, text, sha256 }: Migration,
  options: MigrateOptions,
): Promise<void> {
  const { lockWaitMs = LOCK_WAIT_MS, lockPauseMs = LOCK_PAUSE_MS, onLocked, signal } = options;
  const patience: LockPatience = {
    waitMs: lockWaitMs,
    pauseMs: lockPauseMs,
    onLocked: (locked) => onLocked?.(name, locked),
    signal,
  };
  try {
    await transactionWithLocks(sql, patience, async () => {
      await sql.query(text);
      await sql.query({
        text: 'insert into schema_migrations (name, sha256) values ($1, $2)',
        values: [name, sha256],
      });
    });
  } catch (cause) {
    if (signal?.aborted === true) throw cause;
    throw new Error(`migration ${name} failed and was rolled back: ${String(cause)}`, { cause });
  }
}

async function readApplied(sql: Sql): Promise<Map<string, string>> {
  const { rows } = await sql.query<{ name: string; sha256: string }>(
    'select name, sha256 from schema_migrations order by name',
  );
  return new Map(rows.map(({ name, sha256 }) => [name, sha256]));
}

function refuseOtherHistory(done: Map<string, string>, migrations: Migration[]): void {
  const known = new Map(migrations.map(({ name, sha256 }) => [name, sha256]));
  for (const [name, sha256] of done) {
    if (!known.has(name)) {
      throw new Error(
        `the database has migration ${name}, which this version of Millrace does not know; run the version that applied it, or a newer one`,
      );
    }
    if (known.get(name) !== sha256) {
      throw new Error(
        `migration ${name} was changed after it was applied to this database; restore the file and put the change into a new migration`,
      );
    }
  }
}

async function readMigrations(): Promise<Migration[]> {
  const files = (await readdir(FOLDER)).filter((file) => /^\d{4}_\w+\.sql$/u.test(file)).sort();
  return Promise.all(
    files.map(async (file) => {
      const text = (await readFile(new URL(file, FOLDER), 'utf8')).replaceAll('\r\n', '\n');
      return {
        name: file.replace(/\.sql$/u, ''),
        text,
        sha256: createHash('sha256').update(text).digest('hex'),
      };
    }),
  );
}
