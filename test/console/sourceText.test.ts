import { expect, test } from 'vitest';

import { printKept } from '../../src/console/keptForm.ts';
import { mainVerb, planOf } from '../../src/console/sources/commands.ts';
import { databaseUrlFault, nameIn } from '../../src/console/sources/databaseUrl.ts';
import { BLANK, bodyOf, draftOf, patchOf, SOURCE_FORM } from '../../src/console/sources/draft.ts';
import { newFaults, storedFaults } from '../../src/console/sources/faults.ts';
import {
  badgeOf,
  notesOf,
  sentenceOf,
  stateOf,
  troubleOf,
} from '../../src/console/sources/state.ts';
import {
  canFollow,
  choicesOf,
  foundText,
  readText,
  tableText,
  type FoundTable,
} from '../../src/console/sources/tableChoices.ts';
import type { Source, SourceTable } from '../../src/schema/source.ts';

const NOW = Date.parse('2026-11-30T12:00:00Z');
const AT = '2026-11-30T11:59:58Z';
const STORED = 'postgres://millrace:••••@db.example.com:5432/shop?sslmode=verify-full';

function tableOf(change: Partial<SourceTable> = {}): SourceTable {
  return {
    table: 'public.users',
    collection_id: 'postgres:public.users',
    state: 'following',
    detail: null,
    rows: 1_200,
    changes: 30,
    ...change,
  };
}

function sourceOf(change: Partial<Source> = {}): Source {
  return {
    id: '0199a000-0000-7000-8000-000000000001',
    name: 'Shop database',
    kind: 'postgres',
    url: STORED,
    ca: null,
    sync_id: 'shop',
    expect_within: null,
    slot: 'millrace_shop_database_000000000001',
    publication: 'millrace_shop_database_000000000001',
    status: 'active',
    status_reason: null,
    status_since: '2026-11-30T11:00:00Z',
    interruption: null,
    lag: { bytes: 0, seconds: 0, limit_bytes: null, measured_at: AT },
    last_lsn: '0/1A2B3C4D',
    last_change_at: AT,
    problems: 0,
    tables: [tableOf(), tableOf({ table: 'public.orders' })],
    created_at: '2026-11-30T11:00:00Z',
    updated_at: '2026-11-30T11:00:00Z',
    ...change,
  };
}

test('a source that is followed needs no explanation: its sentence says what it does and how far behind it is', () => {
  const source = sourceOf();
  expect(stateOf(source, NOW)).toBeNull();
  expect(troubleOf(source, NOW)).toBeNull();
  expect(notesOf(source, NOW)).toEqual([]);
  expect(badgeOf(source).text).toBe('active');
  expect(sentenceOf(source)).toBe('Follows 2 tables. Everything is stored.');
  const lag = { bytes: 12 * 1_024 ** 2, seconds: 75, limit_bytes: null, measured_at: AT };
  expect(sentenceOf(sourceOf({ lag }))).toBe(
    'Follows 2 tables. It is 1 min 15 s behind: 12 MB of the log.',
  );
  const tables = [
    tableOf(),
    tableOf({ state: 'reading', rows: 1 }),
    tableOf({ state: 'waiting', rows: 0 }),
  ];
  expect(sentenceOf(sourceOf({ tables }))).toBe(
    'Reads 2 of 3 tables: 1 row so far. Changes are followed meanwhile.',
  );
  expect(sentenceOf(sourceOf({ lag: null, tables: tables.slice(1) }))).toBe(
    'Reads 2 tables: 1 row so far. Changes are followed meanwhile.',
  );
  expect(sentenceOf(sourceOf({ lag: null, tables: tables.slice(2) }))).toBe(
    'It begins with 1 table.',
  );
});

test('a source that has failed says why, and that it has to be resumed; an interrupted one says that it goes on by itself', () => {
  const failed = sourceOf({ status: 'failed', status_reason: 'The password is wrong.' });
  expect(stateOf(failed, NOW)).toMatchObject({
    tone: 'bad',
    meaning: 'The password is wrong.',
    since: '2026-11-30T11:00:00Z',
    verb: 'resume',
  });
  expect(troubleOf(failed, NOW)).toBe('The password is wrong.');
  const interruption = { detail: 'Nothing listens at db:5432.', since: AT };
  const interrupted = sourceOf({ interruption });
  expect(stateOf(interrupted, NOW)).toMatchObject({
    tone: 'warn',
    title: 'Interrupted: Nothing listens at db:5432.',
    since: AT,
    verb: null,
  });
  expect(badgeOf(interrupted).text).toBe('interrupted');
  const deleting = sourceOf({ status: 'deleting', interruption });
  expect(stateOf(deleting, NOW)?.meaning).toContain('Nothing listens at db:5432.');
  expect(stateOf(deleting, NOW)?.verb).toBe('forget');
  expect(mainVerb(deleting)).toBeNull();
});

test('a source that no worker follows is noticed within half a minute, unless it was changed since', () => {
  const later = NOW + 31_000;
  expect(stateOf(sourceOf(), later)?.title).toBe('No worker follows it');
  expect(stateOf(sourceOf({ lag: null }), NOW)?.title).toBe('No worker follows it');
  const resumed = new Date(later - 1_000).toISOString();
  expect(stateOf(sourceOf({ updated_at: resumed }), later)).toBeNull();
});

test('what a paused source does to the disk of its database is said, with the limit of its server', () => {
  const unlimited = planOf({ verb: 'pause' }, sourceOf()).text;
  expect(unlimited).toContain('without a limit: its disk can become full');
  const lag = { bytes: 0, seconds: 0, limit_bytes: 16 * 1_024 ** 3, measured_at: AT };
  const limited = sourceOf({ lag, status: 'paused' });
  expect(planOf({ verb: 'pause' }, limited).text).toContain('at most 16 GB of it. Beyond that');
  expect(stateOf(limited, NOW)).toMatchObject({ tone: 'idle', verb: 'resume' });
  expect(stateOf(limited, NOW)?.meaning).toContain('at most 16 GB of it');
});

test('notes tell of a slot that is half lost, of tables that are gone, of rows that became no record, and of silence', () => {
  const lag = { bytes: 9 * 1_024 ** 2, seconds: 60, limit_bytes: 16 * 1_024 ** 2, measured_at: AT };
  const source = sourceOf({
    lag,
    problems: 1,
    tables: [tableOf({ state: 'gone' })],
    expect_within: 3_600,
    last_change_at: '2026-11-30T10:00:00Z',
  });
  expect(notesOf(source, NOW)).toEqual([
    {
      text: '9 MB of its log is kept, of at most 16 MB: beyond that the slot is lost, and all tables are read again',
      tab: null,
    },
    { text: 'public.users is not in the database any more', tab: 'tables' },
    { text: '1 row could not be turned into a record', tab: 'problems' },
    { text: 'No change has come for 2 h, and one is expected within 1 h', tab: 'settings' },
  ]);
});

test('a table that asks is a trouble, and confirming it says what will be deleted', () => {
  const detail = '300 of 1,000 records would be deleted.';
  const table = tableOf({ state: 'asking', detail });
  const source = sourceOf({
    tables: [table, tableOf({ table: 'public.orders', state: 'asking' })],
  });
  expect(badgeOf(source).text).toBe('asks');
  expect(troubleOf(source, NOW)).toBe(
    'public.users, and 1 further table: asks before records are deleted',
  );
  const plan = planOf({ verb: 'confirm', table }, source);
  expect(plan.text.startsWith(`${detail} Each record that is deleted is an event`)).toBe(true);
  expect(plan.kind).toBe('danger');
  expect(planOf({ verb: 'read', tables: ['public.users'] }, source)).toMatchObject({
    title: 'Read public.users again?',
  });
});

test.each([
  ['  ', 'Fill in the URL of your database: postgres://user:password@host:5432/database.'],
  ['db.example.com:5432/shop', 'The URL must begin with postgres://.'],
  ['mysql://a:b@db/shop', 'The URL must begin with postgres://.'],
  ['postgres://a:p#1@db/shop', 'Write %23 instead of #, in a password as well.'],
  ['postgres://a:b@db/my shop', 'A URL has no spaces: write %20 instead.'],
  [
    'postgres://db/shop',
    'Put the user name before the host, as in postgres://user:password@host:5432/database.',
  ],
  [
    'postgres://a:b@db',
    'Put the name of the database at the end, as in postgres://user:password@host:5432/database.',
  ],
  [
    'postgres://a:b@db:port/shop',
    'This is not the URL of a database. One looks like this: postgres://user:password@host:5432/database.',
  ],
  [STORED, 'Fill in the password again: the stored one is sent to no other host or port.'],
])('the form of a source says of "%s" how to write it', (typed, says) => {
  expect(databaseUrlFault(typed)).toBe(says);
});

test('a masked password stays as it is stored for another role or database, and is filled in again for another place', () => {
  expect(databaseUrlFault(STORED, STORED)).toBeNull();
  expect(databaseUrlFault(STORED.replace('/shop', '/crm'), STORED)).toBeNull();
  expect(databaseUrlFault(STORED.replace('db.', 'other.'), STORED)).toContain(
    'Fill in the password',
  );
  expect(databaseUrlFault(STORED.replace('verify-full', 'disable'), STORED)).toContain('Fill in');
  expect(databaseUrlFault('postgres://a:b%40c@db.example.com/shop', STORED)).toBeNull();
  expect(databaseUrlFault('postgresql://a@[::1]:5433/shop')).toBeNull();
});

test('a source without a name gets that of its database and its host', () => {
  expect(nameIn('postgres://a:b@db.example.com/my%20shop')).toBe('my shop at db.example.com');
  expect(nameIn('postgres://a:b@db.example.com')).toBe('');
  const draft = { ...BLANK, url: 'postgres://a:b@db/shop', tables: ['public.users'] };
  expect(bodyOf(draft).name).toBe('shop at db');
  expect(newFaults(draft)).toEqual({});
  expect(storedFaults(draft, STORED)).toEqual({ '/name': 'Fill in a name for the source.' });
});

test('what is wrong with a source is said by field', () => {
  expect(newFaults({ ...BLANK, silence: '45', silenceUnit: 'days' })).toEqual({
    '/url': 'Fill in the URL of your database: postgres://user:password@host:5432/database.',
    '/tables': 'Select at least one table.',
    '/expect_within': 'The time without a change must be from 1 minute to 30 days, or empty.',
  });
  expect(newFaults({ ...BLANK, silence: 'soon' })['/expect_within']).toBeDefined();
});

test.each([
  [null, '', 'hours'],
  [86_400, '1', 'days'],
  [5_400, '90', 'minutes'],
  [7_200, '2', 'hours'],
] as const)(
  'a silence of %s seconds is shown as %s %s, and stays as it is',
  (seconds, silence, unit) => {
    const source = sourceOf({ expect_within: seconds });
    const draft = draftOf(source);
    expect([draft.silence, draft.silenceUnit]).toEqual([silence, unit]);
    expect(bodyOf(draft).expect_within).toBe(seconds);
  },
);

test('only what was changed of a source is sent', () => {
  const draft = { ...draftOf(sourceOf()), silence: '3', tables: ['public.users'] };
  expect(patchOf(draft, ['silence'])).toEqual({ expect_within: 10_800 });
  expect(patchOf(draft, ['tables', 'name'])).toEqual({
    tables: ['public.users'],
    name: 'Shop database',
  });
});

test('the browser keeps neither the URL of a database nor a private key', () => {
  const draft = {
    ...BLANK,
    name: 'Shop',
    url: 'postgres://a:secret@db/shop',
    ca: '-----BEGIN PRIVATE KEY-----',
  };
  const kept = printKept(SOURCE_FORM, draft, BLANK) ?? '';
  expect(kept).toContain('Shop');
  expect(kept).not.toMatch(/secret|PRIVATE/u);
});

test('tables that were found are listed with their size and key, after those that were not found', () => {
  const users: FoundTable = {
    table: 'public.users',
    estimated_rows: 1_200,
    key: ['id'],
    findings: [],
  };
  const log: FoundTable = {
    table: 'public.log',
    estimated_rows: null,
    key: [],
    findings: [
      { table: 'public.log', problem: 'public.log has no primary key.', advice: 'Give it one.' },
    ],
  };
  const choices = choicesOf([users, log], ['public.users', 'old.table']);
  expect(choices.map(({ table }) => table)).toEqual(['old.table', 'public.users', 'public.log']);
  expect(choices.map(tableText)).toEqual(['', 'about 1,200 rows, key id', 'rows not counted']);
  expect(choices.map(canFollow)).toEqual([true, true, false]);
  expect(foundText([users, log])).toBe('1 of 2 tables can be followed.');
  expect(foundText([users])).toBe('Its only table can be followed.');
  expect(readText(choices.slice(0, 2))).toBe(
    '2 tables, more than 1,200 rows: old.table, public.users',
  );
  expect(readText(choices.slice(1, 2))).toBe('1 table, about 1,200 rows: public.users');
});
