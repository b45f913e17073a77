import { randomUUID } from 'node:crypto';

import { Client } from 'pg';
import { expect, inject, test } from 'vitest';

import { openDb, type Db } from '../../src/db/db.ts';
import type { Locked, OpenTransaction } from '../../src/db/lockPatience.ts';
import { migrate, migrateOnceItIsThere, pendingMigrations } from '../../src/db/migrate.ts';
import { PATIENT } from '../support/database.ts';
import { until } from '../support/poll.ts';

async function withEmptyDatabase(work: (url: string) => Promise<void>): Promise<void> {
  const admin = openDb({
    url: inject('databaseUrl'),
    ...PATIENT,
    max: 1,
    onError: () => undefined,
  });
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await admin.query(`create database ${name}`);
  const url = new URL(inject('databaseUrl'));
  url.pathname = `/${name}`;
  try {
    await work(url.href);
  } finally {
    await admin.query(`drop database ${name} with (force)`);
    await admin.close();
  }
}

test('an empty database is migrated once, by the first of several processes that start together', async () => {
  await withEmptyDatabase(async (url) => {
    await using db = openDb({ url, ...PATIENT, max: 1, onError: () => undefined });
    const pending = await pendingMigrations(db);
    expect(pending[0]).toBe('0001_streams');
    const applied = await Promise.all([migrate(url), migrate(url), migrate(url)]);
    expect(applied.flat()).toEqual(pending);
    expect(await pendingMigrations(db)).toEqual([]);
  });
});

test('a database whose migrations differ from those in the folder is refused with an explanation', async () => {
  await withEmptyDatabase(async (url) => {
    await migrate(url);
    await using db = openDb({ url, ...PATIENT, max: 1, onError: () => undefined });
    const edit = (sha256: string) =>
      db.query(`update schema_migrations set ${sha256} where name = '0001_streams'`);
    await edit(`sha256 = sha256 || 'x'`);
    await expect(migrate(url)).rejects.toThrow(
      'migration 0001_streams was changed after it was applied to this database',
    );
    await edit(`sha256 = rtrim(sha256, 'x')`);
    expect(await migrate(url)).toEqual([]);
    await db.query(`insert into schema_migrations values ('9999_future', 'x')`);
    await expect(migrate(url)).rejects.toThrow('9999_future, which this version');
  });
});

/** A migration that needs the whole table `attempts` for itself. */
const OF_ATTEMPTS = '0033_traces';

/** A database in which that migration is missing, and a report that reads the table in a long transaction. */
async function withLongReader(
  work: (at: { url: string; db: Db; reader: Client }) => Promise<void>,
): Promise<void> {
  await withEmptyDatabase(async (url) => {
    await migrate(url);
    await using db = openDb({ url, ...PATIENT, max: 2, onError: () => undefined });
    await db.query('alter table attempts drop column trace');
    await db.query(`delete from schema_migrations where name = '${OF_ATTEMPTS}'`);
    const reader = new Client({ connectionString: url, application_name: 'a long report' });
    await reader.connect();
    try {
      await reader.query('begin');
      await reader.query('select from attempts');
      await work({ url, db, reader });
    } finally {
      await reader.end();
    }
  });
}

/** Whether someone waits for the whole table, so that whoever comes now waits as well. */
async function isQueued(db: Db): Promise<boolean> {
  const { rows } = await db.query(`
    select from pg_locks
     where relation = 'attempts'::regclass and mode = 'AccessExclusiveLock' and not granted`);
  return rows.length > 0;
}

test('a migration that waits for a long-running reader lets writers pass meanwhile, and is applied once the reader has ended', async () => {
  await withLongReader(async ({ url, db, reader }) => {
    const tries: Locked[] = [];
    const onLocked = (name: string, locked: Locked): void => {
      expect(name).toBe(OF_ATTEMPTS);
      tries.push(locked);
    };
    const migrated = migrate(url, { lockWaitMs: 300, lockPauseMs: 10, onLocked });
    for (let written = 1; written <= 3; written += 1) {
      await until(() => isQueued(db), { what: 'the migration waits for the reader' });
      // It waits behind the migration, which waits for the reader, which waits for this.
      await db.query(`
        insert into attempts (id, consumer_id, position, message_id, attempt, started_at, duration_ms, outcome)
        values (gen_random_uuid(), gen_random_uuid(), 1, 'm', 1, now(), 1, 'failed')`);
      await until(() => tries.length >= written, { what: 'the migration has let go' });
    }
    expect(tries[0]).toMatchObject({ tries: 1 });
    expect(tries[0]?.open[0]).toMatchObject({ application: 'a long report' });
    await reader.query('commit');
    expect(await migrated).toEqual([OF_ATTEMPTS]);
    expect((await db.query('select trace from attempts')).rows).toHaveLength(3);
  });
});

test('a server whose migration waits for a lock says so, and ends without an error when it is stopped', async () => {
  await withLongReader(async ({ url, db }) => {
    const said: unknown[][] = [];
    const log = { info: () => undefined, warn: (...line: unknown[]) => void said.push(line) };
    const stopping = new AbortController();
    const started = migrateOnceItIsThere(url, log, stopping.signal);
    await until(() => said.length > 0, { what: 'it says what it waits for' });
    stopping.abort();
    await started;
    expect(said).toHaveLength(1);
    const [{ migration, open }, text] = said[0] as [
      { migration: string; open: OpenTransaction[] },
      string,
    ];
    expect(text).toContain('waits for locks that other transactions hold');
    expect(migration).toBe(OF_ATTEMPTS);
    expect(open[0]).toMatchObject({ application: 'a long report' });
    expect(await pendingMigrations(db)).toEqual([OF_ATTEMPTS]);
  });
});
