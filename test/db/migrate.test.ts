import { randomUUID } from 'node:crypto';

import { expect, inject, test } from 'vitest';

import { openDb } from '../../src/db/db.ts';
import { migrate, pendingMigrations } from '../../src/db/migrate.ts';

async function withEmptyDatabase(work: (url: string) => Promise<void>): Promise<void> {
  const admin = openDb({ url: inject('databaseUrl'), max: 1, onError: () => undefined });
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
    await using db = openDb({ url, max: 1, onError: () => undefined });
    const pending = await pendingMigrations(db);
    expect(pending[0]).toBe('0001_streams');
    const applied = await Promise.all([migrate(url), migrate(url), migrate(url)]);
    expect(applied.flat()).toEqual(pending);
    expect(await pendingMigrations(db)).toEqual([]);
  });
});

test('a history that is not the one in the folder is refused in words', async () => {
  await withEmptyDatabase(async (url) => {
    await migrate(url);
    await using db = openDb({ url, max: 1, onError: () => undefined });
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
