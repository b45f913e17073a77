import { expect, test } from 'vitest';

import { createAttempts } from '../../src/attempts/attempts.ts';
import { createTargetAttempts } from '../../src/attempts/targetAttempts.ts';
import type { Sql } from '../../src/db/db.ts';
import { findBatch } from '../../src/search/batches.ts';
import { findEvent, findEventsOf, findRecords, findVersion } from '../../src/search/entries.ts';
import { findConsumers, findSources, findSyncs, findTargets } from '../../src/search/named.ts';
import { findEventsIn, findRecordsIn } from '../../src/search/traced.ts';
import { readTargetSeries } from '../../src/telemetry/targetSeries.ts';
import { readTroubles } from '../../src/telemetry/troubles.ts';
import {
  manyConsumers,
  manyRowsOfFile,
  manyTargets,
  numberedId,
  plansOf,
  uuidOf,
} from '../support/plans.ts';

const CONSUMERS = 10_000;
const ENTRIES = 100_000;
const id = numberedId;
/** The id of the version at a position: one a second, as the rows are. */
const VERSION = `(lpad(to_hex((ms >> 16)::bigint), 8, '0') || '-' || lpad(to_hex((ms & 65535)::bigint), 4, '0')
  || '-7000-8000-' || lpad(n::text, 12, '0'))`;

/** When the entry at a position was sent, in SQL: all of them today. */
const AT = `now() - (${ENTRIES} - n) * interval '10 ms'`;
/** The id of the batch that begins at a position, in SQL. */
const batchOf = (n: string): string => `'batch_' || ${n} || '_' || lpad(${n}::text, 24, '0')`;
/** That of the entries at one position, which is among the newest. */
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const BATCH = `batch_4711_${'4711'.padStart(24, '0')}`;

const rows = manyRowsOfFile({
  large: [
    'consumers',
    'targets',
    'sources',
    'syncs',
    'records',
    'event',
    'target_minutes',
    'attempts',
    'attempt_batches',
  ],
  fill: `
    ${manyTargets(5_000, { name: `'Target ' || n || ' of shop ' || n % 97` })}
    ${manyConsumers(CONSUMERS, { target: '1 + n % 50', name: `'Orders ' || n || ' to the crm' || n % 89` })}
    insert into sources (id, name, kind, sync_id, region, url, url_shown, slot, publication, status, status_since, version, created_at, updated_at)
    select ${uuidOf('n')}, 'Database ' || n || ' of shop ' || n % 97, 'postgres', 'sync-' || n, 'local', 'sealed', 'shown',
           'slot_' || n, 'millrace', 'active', now(), 1, now(), now() from generate_series(1, 5000) n;
    insert into syncs (sync_id, name, events, last_at)
    select 'sync-' || n, case when n % 3 = 0 then 'Shop ' || n end, 1, now() - n * interval '1 min' from generate_series(1, 5000) n;
    insert into collections select 'sync-' || n, 'a:b', 1, now() - n * interval '1 min' from generate_series(1, 5000) n;
    insert into records (sync_id, collection_id, upstream_id, position, version_id, data, size, deleted, created_at, updated_at)
    select 'sync-' || 1 + n % 5000, 'a:b', 'r' || n, n, ${VERSION}, '{}', 2, false, now(), to_timestamp(ms / 1000)
      from generate_series(1, ${ENTRIES}) n, lateral (select (extract(epoch from now())::bigint - ${ENTRIES} + n) * 1000 as ms) t;
    insert into events (position, event_id, event, sync_id, collection_id, upstream_id, data, size, event_inserted_at)
    select n, 'e' || n, 'created', 'sync-' || n % 5000, 'a:b', 'r' || n, '{}', 2, now() from generate_series(1, ${ENTRIES}) n;
    insert into event_ids select event_id, position from events;
    update events set traceparent = decode('${TRACE}00f067aa0ba902b701', 'hex') where position = ${ENTRIES - 5_000};
    update records set traceparent = decode('${TRACE}00f067aa0ba902b701', 'hex') where position = ${ENTRIES - 5_000};
    update streams set last_position = ${ENTRIES};
    insert into attempt_minutes
    select date_trunc('minute', now()) - n * interval '1 min', 100, 1, '{40,41}', '{60,41}', 0, 5, true
      from generate_series(2, 10080) n;
    insert into target_minutes
    select ${uuidOf('1 + t')}, date_trunc('minute', now()) - n * interval '1 min', 100, 1, '{40,41}', '{60,41}'
      from generate_series(2, 2000) n, generate_series(0, 49) t;
    insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status, entries, low, high, oldest)
    select ${uuidOf('1 + n % ' + CONSUMERS)}, now() - n * interval '1 s', '{1}', '{1}', '{5}', '{200}', 1, 1, 1, 1
      from generate_series(1, 50000) n;
    insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status, entries, low, high, oldest, requests)
    select ${uuidOf('1 + n % ' + CONSUMERS)}, ${AT}, array[n, n + 1], array[0, 0], '{5,5}', '{200,200}', 2, n, n + 1, 1,
           jsonb_build_array(jsonb_build_array(0, 2, 2, ${batchOf('n')}))
      from generate_series(10, ${ENTRIES}) n;
    insert into attempts (id, consumer_id, position, message_id, event_id, attempt, started_at, duration_ms, outcome, batch_size)
    select gen_random_uuid(), ${uuidOf('1 + n % ' + CONSUMERS)}, n, ${batchOf('n')}, 'e' || n, 1, ${AT}, 5, 'failed', 2
      from generate_series(10, ${ENTRIES}) n;`,
});

const CASES: { what: string; work: (sql: Sql) => Promise<unknown>; finds: number; by: RegExp[] }[] =
  [
    {
      what: 'consumers by the beginning of a name',
      work: (sql) => findConsumers(sql, 'orders 777', 5),
      finds: 5,
      by: [/(using|on) consumers_by_name/u],
    },
    {
      what: 'consumers by the beginning of a word',
      work: (sql) => findConsumers(sql, 'crm77', 5),
      finds: 5,
      by: [/(using|on) consumers_by_word/u],
    },
    {
      what: 'consumers by the beginning of an id',
      work: (sql) => findConsumers(sql, id(4711).slice(0, 35), 5),
      finds: 5,
      by: [/(using|on) consumers_pkey/u],
    },
    {
      what: 'consumers by a text with which all their names begin',
      work: (sql) => findConsumers(sql, 'o', 5),
      finds: 5,
      by: [/(using|on) consumers_by_name/u],
    },
    {
      what: 'targets by a name',
      work: (sql) => findTargets(sql, 'target 4711 of', 5),
      finds: 1,
      by: [/(using|on) targets_by_name/u, /(using|on) targets_by_word/u],
    },
    {
      what: 'sources by a name',
      work: (sql) => findSources(sql, 'database 4711 of', 5),
      finds: 1,
      by: [/(using|on) sources_by_beginning/u, /(using|on) sources_by_word/u],
    },
    {
      what: 'syncs by an id',
      work: (sql) => findSyncs(sql, 'SYNC-47', 5),
      finds: 5,
      by: [/(using|on) syncs_by_id/u, /(using|on) syncs_by_name/u],
    },
    {
      what: 'syncs by a name',
      work: (sql) => findSyncs(sql, 'shop 47', 5),
      finds: 5,
      by: [/(using|on) syncs_by_name/u],
    },
    {
      what: 'records by an upstream id',
      work: (sql) => findRecords(sql, 'r4711', 5),
      finds: 1,
      by: [/(using|on) records_pkey/u, /using records_position_key/u],
    },
    {
      what: 'records by an upstream id that no record has',
      work: (sql) => findRecords(sql, 'nobody', 5),
      finds: 0,
      by: [/(using|on) records_pkey/u],
    },
    {
      what: 'events by their id',
      work: (sql) => findEvent(sql, 'e4711'),
      finds: 1,
      by: [/using event_ids_pkey/u, /using events_0_pkey/u],
    },
    {
      what: 'events of a record',
      work: (sql) => findEventsOf(sql, `r${ENTRIES - 5_000}`, 5),
      finds: 1,
      by: [/Index Scan Backward using events_\d+_pkey/u],
    },
    {
      what: 'the newest events of a trace',
      work: (sql) => findEventsIn(sql, TRACE, 5),
      finds: 1,
      by: [/Index Scan Backward using events_\d+_pkey/u],
    },
    {
      what: 'the newest records of a trace',
      work: (sql) => findRecordsIn(sql, TRACE, 5),
      finds: 1,
      by: [/Index Scan Backward using records_position_key/u],
    },
    {
      what: 'no entry of a trace that no entry has',
      work: async (sql) => [
        ...(await findEventsIn(sql, 'f'.repeat(32), 5)),
        ...(await findRecordsIn(sql, 'f'.repeat(32), 5)),
      ],
      finds: 0,
      by: [/Index Scan Backward using events_\d+_pkey/u, /using records_position_key/u],
    },
  ];

for (const { what, work, finds, by } of CASES) {
  test(`a search finds ${what} by index`, async () => {
    expect(await work(rows.db)).toHaveLength(finds);
    expect(await rows.faults(work, by)).toEqual([]);
  });
}

test('a search finds a version by its id among those of its seconds', async () => {
  const { db } = rows;
  const { rows: found } = await db.query<{ version_id: string }>(
    'select version_id from records where position = 4711',
  );
  const version = found[0]!.version_id;
  expect(await findVersion(db, version)).toMatchObject([{ version_id: version, position: 4711 }]);
  const work = (sql: Sql) => findVersion(sql, version);
  expect(await rows.faults(work, [/using records_position_key/u])).toEqual([]);
  const [, removed] = /Rows Removed by Filter: (\d+)/u.exec(await plansOf(db, work)) ?? [];
  expect(Number(removed)).toBeLessThan(100);
});

test('a search finds a batch by the position in its id, and its attempts are read in the same way', async () => {
  const by = [/(using|on) attempts_\w+_idx/u, /(using|on) attempt_batches_\w+_committed_at_low/u];
  const { data } = await findBatch(rows.db, BATCH, 4_711);
  expect(data).toMatchObject([{ kind: 'batch', consumer_id: id(4_712), position: 4_711 }]);
  expect(await rows.faults((sql) => findBatch(sql, BATCH, 4_711), by)).toEqual([]);
  const query = { batchId: BATCH, limit: 100, after: null };
  const reader = { id: id(4_712), stream: 'events' } as const;
  const work = (sql: Sql) => createAttempts(sql).list(reader, query);
  const made = (await work(rows.db)).data.map(({ position }) => position);
  expect(made.toSorted((a, b) => a - b)).toEqual([4_711, 4_711, 4_712]);
  expect(await rows.faults(work, by)).toEqual([]);
  const ofTarget = (sql: Sql) => createTargetAttempts(sql).list(id(1 + (4_712 % 50)), query);
  expect((await ofTarget(rows.db)).data).toHaveLength(3);
  expect(await rows.faults(ofTarget, by)).toEqual([]);
});

test('the attempts of the consumers of a target are read by index, for an hour and for a week', async () => {
  for (const [seconds, stepSeconds] of [
    [3_600, 60],
    [604_800, 1_800],
  ] as const) {
    const faults = await rows.faults(
      (sql) => readTargetSeries(sql, { targetId: id(7), seconds, stepSeconds }),
      [/(using|on) target_minutes_pkey/u, /(using|on) consumers_by_target/u],
    );
    expect(faults).toEqual([]);
  }
});

test('the troubles of a single target are read by index', async () => {
  const work = (sql: Sql) => readTroubles(sql, 86_400_000, id(7));
  expect(await rows.faults(work, [/(using|on) consumers_by_target/u])).toEqual([]);
});
