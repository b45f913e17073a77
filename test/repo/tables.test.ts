// which file of src/ writes which table, and where SQL may stand at all
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { parseSync, Visitor } from 'vite';
import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');

/** Each table and the one file that writes it. */
const OWNERS: Record<string, string> = {
  streams: 'streams/appendSql.ts',
  records: 'streams/appendSql.ts',
  events: 'streams/appendSql.ts',
  event_ids: 'streams/appendSql.ts',
  passes: 'streams/passSql.ts',
  pass_seen: 'streams/passSql.ts',
  checkpoints: 'streams/checkpoints.ts',
  syncs: 'streams/syncs.ts',
  collections: 'streams/rollUp.ts',
  sources: 'sources/sourceRows.ts',
  source_tables: 'sources/sourceRows.ts',
  source_problems: 'sources/sourceProblems.ts',
  targets: 'targets/targets.ts',
  consumers: 'consumers/consumerRows.ts',
  changes: 'consumers/changes.ts',
  stored_edits: 'consumers/consumers.ts',
  start_faults: 'consumers/startFaults.ts',
  cursors: 'progress/cursors.ts',
  visit_lanes: 'progress/laneLeases.ts',
  filter_versions: 'progress/filterRows.ts',
  condition_faults: 'progress/conditionFaults.ts',
  parked: 'progress/parkedRows.ts',
  dead_letters: 'progress/deadLetterRows.ts',
  attempts: 'progress/commit.ts',
  attempt_batches: 'progress/commit.ts',
  leader: 'wake/leaderStore.ts',
  tails: 'wake/leaderStore.ts',
  alerts: 'alerts/writeAlert.ts',
  outbox: 'alerts/outboxRows.ts',
  alert_tests: 'alerts/alertTests.ts',
  source_episodes: 'alerts/sourceWatch.ts',
  certificate_warnings: 'alerts/certificateWatch.ts',
  aging: 'retention/aging.ts',
  lag_samples: 'telemetry/lagSamples.ts',
  lag_minutes: 'telemetry/lagSamples.ts',
  attempt_minutes: 'telemetry/attemptTotals.ts',
  attempt_hours: 'telemetry/attemptTotals.ts',
  attempt_points: 'telemetry/attemptRollUps.ts',
  attempt_ranges: 'telemetry/attemptRollUps.ts',
  target_minutes: 'telemetry/attemptTotals.ts',
  api_keys: 'access/apiKeys.ts',
  sessions: 'access/sessions.ts',
  signin_tokens: 'access/sessions.ts',
  idempotency_keys: 'access/idempotency.ts',
  clocks: 'process/clockNotes.ts',
  schema_migrations: 'db/migrate.ts',
};

/** A table whose name is put together where it is written. */
const NAMED_LATER = '*';

/** What other files write, and why they may. */
const BESIDE: { file: string; tables: string; why: string }[] = [
  {
    file: 'progress/leases.ts',
    tables: 'cursors',
    why: 'takes and releases leases, of one cursor or of many',
  },
  {
    file: 'sources/sourceLeases.ts',
    tables: 'sources source_tables',
    why: 'takes and releases leases, and stores what a follower has seen',
  },
  {
    file: 'streams/rollUp.ts',
    tables: 'syncs streams',
    why: 'counts are its own columns, and rolled_up: up to where they are counted',
  },
  {
    file: 'retention/eventRetention.ts',
    tables:
      'streams event_ids outbox passes stored_edits lag_samples lag_minutes attempt_minutes attempt_hours attempt_points attempt_ranges target_minutes parked dead_letters',
    why: 'what is past its age goes by one rule, whatever table it is in',
  },
  {
    file: 'retention/attemptRetention.ts',
    tables: NAMED_LATER,
    why: 'drops partitions of attempts, and rows of the newest one',
  },
  {
    file: 'db/partitions.ts',
    tables: NAMED_LATER,
    why: 'moves attempts that came before their partition was there into it',
  },
  {
    file: 'db/reseal.ts',
    tables: NAMED_LATER,
    why: 'seals the secrets of every table under another key',
  },
  {
    file: 'targets/sealClearHeaders.ts',
    tables: 'targets',
    why: 'moves headers that were saved in clear into the sealed column of their row',
  },
  {
    file: 'access/sessions.ts',
    tables: NAMED_LATER,
    why: 'sessions and the links to sign in, both its own, are made alike',
  },
  {
    file: 'cli/demoShop.ts',
    tables: 'airports prices',
    why: 'they are in the database that the demo follows, not in that of Millrace',
  },
];

/** Folders that ask stores and hold no SQL. */
const WITHOUT_SQL = ['api', 'activities', 'workflows', 'console'];

const literals = await literalsOf(join(ROOT, 'src'));

test('each table is written by the one file that owns it', () => {
  expect(writesBySrc().filter((write) => !allowed().has(write))).toEqual([]);
});

test('no file is named as the writer of a table that it does not write', () => {
  const found = new Set(writesBySrc());
  expect([...allowed()].filter((write) => !found.has(write))).toEqual([]);
});

test('every table has an owner', async () => {
  const folder = join(ROOT, 'migrations');
  const created = new Set(['schema_migrations']); // made before the first migration
  for (const name of await readdir(folder)) {
    const text = await readFile(join(folder, name), 'utf8');
    for (const [, table = ''] of text.matchAll(/^create table (\w+) \(/gmu)) created.add(table);
  }
  expect(Object.keys(OWNERS).sort()).toEqual([...created].sort());
});

test('routes, activities, workflows and pages hold no SQL', () => {
  const faults = literals.filter(({ file, text }) => {
    return WITHOUT_SQL.includes(file.split('/')[0] ?? '') && isSql(text);
  });
  expect(faults).toEqual([]);
});

test.each<[string, string[]]>([
  ['insert into cursors (consumer_id) values ($1)', ['cursors']],
  ['INSERT INTO outbox AS o SELECT', ['outbox']],
  ['update cursors set position = 1', ['cursors']],
  ['update cursors c\n   set position = 1', ['cursors']],
  ['update only cursors as c set position = 1', ['cursors']],
  [
    'with a as (delete from parked p using b returning *) insert into dead_letters select',
    ['parked', 'dead_letters'],
  ],
  ['truncate outbox', ['outbox']],
  ['truncate table outbox cascade', ['outbox']],
  ['truncate text-sm', []],
  ['copy events (position) from stdin', ['events']],
  ['merge into syncs s using counted c', ['syncs']],
  ['delete from ${parent}_other where', [NAMED_LATER]],
  ['update ${table} t set ${column} = 1', [NAMED_LATER]],
  ['insert into syncs as old values (1) on conflict (sync_id) do update set name = $2', ['syncs']],
  ['select from cursors where consumer_id = $1 for update of c', []],
  ['Deletes from the list and updates a set', []],
])('a write is found in %j', (text, tables) => {
  expect(tablesWrittenBy(text)).toEqual(tables);
});

test.each([
  ['select 1', true],
  ['\n  select position from cursors', true],
  ['with a as (select 1) select * from a', true],
  ['with a as materialized (select 1) select * from a', true],
  ['update cursors c set position = 1', true],
  ['delete from cursors', true],
  ['insert into cursors values (1)', true],
  ['Select an endpoint', false],
  ['with the fields of its last failure', false],
  ['update a target', false],
])('text is recognised as SQL or not: %j', (text, expected) => {
  expect(isSql(text)).toBe(expected);
});

/** `table by file`, once each. */
function writesBySrc(): string[] {
  const found = literals.flatMap(({ file, text }) =>
    tablesWrittenBy(text).map((table) => `${table} by ${file}`),
  );
  return [...new Set(found)];
}

function allowed(): Set<string> {
  return new Set([
    ...Object.entries(OWNERS).map(([table, file]) => `${table} by ${file}`),
    ...BESIDE.flatMap(({ file, tables }) => tables.split(' ').map((one) => `${one} by ${file}`)),
  ]);
}

function tablesWrittenBy(text: string): string[] {
  const name = String.raw`(?:only\s+)?((?:\w|\$\{[^}]*\})+)`;
  const alias = String.raw`(?:\s+(?:as\s+)?\w+)?`;
  const writes = [
    String.raw`(?:insert|merge)\s+into\s+${name}`,
    String.raw`delete\s+from\s+${name}${alias}\s*(?:$|where|using|returning)`,
    String.raw`update\s+${name}${alias}\s+set\s`,
    String.raw`truncate\s+(?:table\s+)?${name}\s*(?:$|[,;]|restart|cascade)`,
    String.raw`copy\s+${name}\s*(?:\([^)]*\)\s*)?from\s`,
  ];
  const pattern = new RegExp(writes.map((one) => String.raw`\b${one}`).join('|'), 'giu');
  return [...text.matchAll(pattern)].map(([, ...tables]) => {
    const table = tables.find((one) => one !== undefined) ?? '';
    return table.includes('$') ? NAMED_LATER : table;
  });
}

function isSql(text: string): boolean {
  return /^\s*(?:select\b|insert into\b|delete from\b|update \S+ (?:\w+ )?set\b|with \w+ as\b)/u.test(
    text,
  );
}

/** Every string of the sources, with `${…}` as it is written. */
async function literalsOf(root: string): Promise<{ file: string; text: string }[]> {
  const found: { file: string; text: string }[] = [];
  for (const file of await readdir(root, { recursive: true })) {
    if (!/\.tsx?$/u.test(file)) continue;
    const source = await readFile(join(root, file), 'utf8');
    const add = (text: string): void => void found.push({ file, text });
    new Visitor({
      Literal: ({ value }) => {
        if (typeof value === 'string') add(value);
      },
      TemplateLiteral: ({ start, end }) => add(source.slice(start + 1, end - 1)),
    }).visit(parseSync(file, source).program);
  }
  return found;
}
