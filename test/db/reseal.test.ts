import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

import { expect, test } from 'vitest';

import { openDb, type Db } from '../../src/db/db.ts';
import { newId } from '../../src/db/ids.ts';
import { reseal, SEALED } from '../../src/db/reseal.ts';
import { createVault, type Vault } from '../../src/db/vault.ts';
import { TargetInput } from '../../src/schema/target.ts';
import { maskedUrl } from '../../src/sources/postgres/sourceAddress.ts';
import * as sourceRows from '../../src/sources/sourceRows.ts';
import { openUrl, SOURCE_URL } from '../../src/sources/sourceUrl.ts';
import { findSource } from '../../src/sources/sourceView.ts';
import { openTarget } from '../../src/targets/openTarget.ts';
import { createTargets } from '../../src/targets/targets.ts';
import { selfSigned } from '../support/certificate.ts';
import { createDatabase, PATIENT } from '../support/database.ts';

const older = { id: 'older', key: randomBytes(32) };
const newer = { id: 'newer', key: randomBytes(32) };
const lost = { id: 'lost', key: randomBytes(32) };
const egress = { refusal: () => null };
const own = selfSigned();
const input = TargetInput.parse({
  name: 't',
  base_url: 'https://example.com',
  credentials: { type: 'bearer', token: 'planted-token' },
  headers: { 'X-Gateway-Key': 'planted-header' },
  client_certificate: { certificate: own.cert, key: own.key },
});

test('everything sealed under an older key is sealed under the active one, in batches, and opens the same', async () => {
  await using database = await createDatabase();
  await using db = openDb({ url: database.url, ...PATIENT, onError: () => undefined });
  const before = createTargets({ db, vault: createVault([older]), egress });
  const ids: string[] = [];
  for (let n = 0; n < 7; n += 1) ids.push((await before.create(input)).id);
  await before.rotateSecret(ids[0]!, 3_600);
  const opened = await openTarget(db, createVault([older]), ids[0]!);
  const source = await insertSource(db, createVault([older]));

  const vault = createVault([newer, older]);
  await createTargets({ db, vault, egress }).create(input);
  const done = await reseal({ db, vault, batch: 3 });
  expect(done).toEqual([
    { column: 'sources.url', resealed: 1, unopened: [] },
    { column: 'targets.credentials', resealed: 7, unopened: [] },
    { column: 'targets.secret_headers', resealed: 7, unopened: [] },
    { column: 'targets.signing_secret', resealed: 7, unopened: [] },
    { column: 'targets.signing_secret_previous', resealed: 1, unopened: [] },
    { column: 'targets.client_certificate', resealed: 7, unopened: [] },
  ]);
  expect(await openTarget(db, createVault([newer]), ids[0]!)).toEqual(opened);
  const row = await findSource(db, source);
  expect(row && openUrl(row, createVault([newer]))).toBe(SOURCE);
  const again = await reseal({ db, vault, batch: 3 });
  expect(again.map(({ resealed }) => resealed)).toEqual([0, 0, 0, 0, 0, 0]);
});

test('a value that no key opens is named and left alone, and the rest is sealed all the same', async () => {
  await using database = await createDatabase();
  await using db = openDb({ url: database.url, ...PATIENT, onError: () => undefined });
  const gone: string[] = [];
  for (let n = 0; n < 5; n += 1) {
    gone.push((await createTargets({ db, vault: createVault([lost]), egress }).create(input)).id);
    await createTargets({ db, vault: createVault([older]), egress }).create(input);
  }
  const [, credentials] = await reseal({ db, vault: createVault([newer, older]), batch: 2 });
  expect(credentials?.resealed).toBe(5);
  expect(credentials?.unopened.sort()).toEqual(
    gone.map((id) => `targets:credentials:${id}`).sort(),
  );
  expect(await openTarget(db, createVault([lost]), gone[0]!)).toMatchObject({ version: 1 });
});

test('the command says what it did and shows no secret; a missing variable is named', async () => {
  await using database = await createDatabase();
  await using db = openDb({ url: database.url, ...PATIENT, onError: () => undefined });
  await createTargets({ db, vault: createVault([older]), egress }).create(input);
  const keys = [newer, older].map(({ id, key }) => `${id}:${key.toString('base64')}`).join(',');
  const { code, stdout, stderr } = await run({
    DATABASE_URL: database.url,
    MILLRACE_ENCRYPTION_KEYS: keys,
  });
  expect([code, JSON.parse(stdout)]).toMatchObject([
    0,
    {
      active_key: 'newer',
      columns: [0, 1, 1, 1, 0, 1].map((resealed) => ({ resealed })),
    },
  ]);
  expect(stderr).toContain('targets.credentials: 1 sealed with key "newer"');
  for (const secret of [newer, older].map(({ key }) => key.toString('base64'))) {
    expect(stdout + stderr).not.toContain(secret);
  }
  const without = await run({ DATABASE_URL: database.url });
  expect(without.code).toBe(2);
  expect(without.stderr).toContain('MILLRACE_ENCRYPTION_KEYS must be set');
});

test('every sealed column is sealed again', async () => {
  await using database = await createDatabase();
  await using db = openDb({ url: database.url, ...PATIENT, onError: () => undefined });
  const { rows } = await db.query<{ at: string }>(`
    select table_name || '.' || column_name as at from information_schema.columns
     where table_schema = 'public' and data_type = 'text'
       and (column_name like '%secret%' or column_name like '%credential%' or column_name like '%sealed%'
            or column_name in ('url', 'client_certificate'))
       and table_name not like '%\\_p%'`);
  const known = SEALED.map(({ table, column }) => `${table}.${column}`);
  expect(rows.map(({ at }) => at).sort()).toEqual([...known].sort());
});

const SOURCE = 'postgres://u:planted-password@db.example.com/d';

async function insertSource(db: Db, vault: Vault): Promise<string> {
  const id = newId();
  const url = vault.seal(SOURCE, SOURCE_URL(id));
  const settings = { url, urlShown: maskedUrl(SOURCE), ca: null, expectWithinS: null };
  const names = { name: 's', syncId: 's', region: 'r', slot: 'millrace_s', publication: 'p' };
  await sourceRows.insertSource(db, { id, ...names, settings, tables: [] });
  return id;
}

/** The command in a process of its own. */
async function run(env: NodeJS.ProcessEnv) {
  const file = new URL('../../src/cli/keys.ts', import.meta.url).href;
  const source = `
    import { runKeysRotate } from '${file}';
    process.exitCode = await runKeysRotate({ env: process.env });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    env: { PATH: process.env['PATH'], ...env },
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}
