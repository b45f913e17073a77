import { expect, test } from 'vitest';

import { createAlertsList } from '../../src/alerts/alertsList.ts';
import { createAttempts } from '../../src/attempts/attempts.ts';
import { readMetrics } from '../../src/attempts/attemptSeries.ts';
import { createDeadLetters } from '../../src/attempts/deadLetters.ts';
import { createParkedList } from '../../src/attempts/parkedList.ts';
import { createTargetAttempts } from '../../src/attempts/targetAttempts.ts';
import { createChanges } from '../../src/consumers/changes.ts';
import { listQuery, type ConsumerQuery } from '../../src/consumers/consumerQuery.ts';
import type { Db, Sql } from '../../src/db/db.ts';
import { createPages } from '../../src/streams/pages.ts';
import { createSyncs } from '../../src/streams/syncs.ts';
import {
  manyConsumers,
  manyRowsOfFile,
  manyTargets,
  numberedId,
  plansOf,
  uuidOf,
} from '../support/plans.ts';

const MANY = 20_000;
const id = numberedId;
const ONE = id(77);
const page = { limit: 10, after: { at: '2026-06-01T00:00:00Z', id: ONE } };
const alerts = { ...page, withAddresses: true };

const rows = manyRowsOfFile({
  fill: `
    ${manyTargets(200)}
    ${manyConsumers(MANY, {
      target: '1 + n % 200',
      status: `case when n % 500 = 0 then 'stopped' else 'active' end`,
      createdAt: `timestamptz '2026-01-01' + n * interval '1 min'`,
    })}
    insert into start_faults (consumer_id, code, detail, since, next_try_at, is_crash)
    select ${uuidOf('n * 100')}, 'internal_error', '', now(), now(), false from generate_series(1, 5) n;
    insert into changes (id, consumer_id, edit_id, action, actor, detail, version, at)
    select gen_random_uuid(), id, 'create', 'created', 'x', '{}', 1, created_at from consumers;
    insert into alerts (id, consumer_id, kind, detail, at)
    select gen_random_uuid(), id, case when random() < 0.01 then 'gone' else 'warning' end, '{}', created_at from consumers;
    insert into sources (id, name, kind, sync_id, region, url, url_shown, slot, publication, status, status_since, version, created_at, updated_at)
    values ('${id(5)}', 'Shop', 'postgres', 's', 'r', '', '', 'slot', 'slot', 'active', now(), 1, now(), now());
    insert into alerts (id, source_id, kind, detail, at)
    select gen_random_uuid(), '${id(5)}', 'source-behind', '{}', timestamptz '2026-01-01' + n * interval '1 min' from generate_series(1, 2000) n;
    insert into dead_letters (id, consumer_id, position, message_id, sync_id, collection_id, upstream_id, body, attempts, parked_at, died_at, last_failure)
    select gen_random_uuid(), ${uuidOf('1 + n % 20')}, n, 'm', 's', 'a:b', 'r' || n % 500, '{}', 9, now(), timestamptz '2026-01-01' + n * interval '1 min',
           json_build_object('code', case when n % 1000 < 20 then 'TIMEOUT' else 'HTTP_4XX' end,
                             'status', case when n % 1000 < 20 then null when n % 1000 < 40 then 404 else 422 end)
      from generate_series(1, ${MANY}) n;
    insert into parked (consumer_id, position, message_id, sync_id, collection_id, upstream_id, body, attempts, parked_at, parked_ms, due_ms)
    select ${uuidOf('1 + n % 20')}, n, 'm', 's', 'a:b', 'r' || n % 500, '{}', 9, now(), 0, case when n % 3 > 0 then n end
      from generate_series(1, ${MANY}) n;
    insert into events (position, event_id, event, sync_id, collection_id, upstream_id, data, size, event_inserted_at)
    select n, 'e' || n, 'created', 's', 'a:b', 'r' || n % 500, '{}', 2, now() - (${MANY} - n) * interval '50 ms' from generate_series(1, ${MANY}) n;
    insert into event_ids select event_id, position from events;
    update streams set last_position = ${MANY} where name = 'events';
    insert into attempts (id, consumer_id, position, message_id, event_id, attempt, started_at, duration_ms, outcome)
    select gen_random_uuid(), ${uuidOf('1 + n % 100')}, n, 'e' || n, 'e' || n, 1, now() - (${MANY} - n) * interval '50 ms', 1, 'failed' from generate_series(1, ${MANY}) n;
    insert into attempt_batches
    select ${uuidOf('1 + n % 100')}, now() - (4 * ${MANY} - n) * interval '12 ms', array[n / 4, n / 4 + 1], array[b.ms, b.ms], '{1,2}', '{200,200}', 2, n / 4, n / 4 + 1, b.ms
      from generate_series(1, 4 * ${MANY}) n, lateral (select extract(epoch from now() - (4 * ${MANY} - n) * interval '12 ms')::bigint * 1000 as ms) b;
    insert into collections select 's' || n % 500, 'a:' || n, 1, timestamptz '2026-01-01' + n * interval '1 min' from generate_series(1, ${MANY}) n;
    insert into syncs (sync_id, events, last_at) select 's' || n, 1, timestamptz '2026-01-01' + n * interval '1 min' from generate_series(1, ${MANY}) n;
    insert into lag_samples select ${uuidOf('1 + n % 20')}, now() - n * interval '1 min', 1 from generate_series(1, ${MANY}) n;`,
});

const consumers = (query: Partial<ConsumerQuery>) => (sql: Sql) =>
  sql.query(listQuery({ ...page, ...query }));
const attempts = { limit: 100, after: null };
const CASES: { what: string; work: (sql: Db) => Promise<unknown>; by: RegExp[] }[] = [
  { what: 'consumers', work: consumers({}), by: [/using consumers_newest/u] },
  {
    what: 'consumers in a status',
    work: consumers({ status: 'stopped' }),
    by: [/using consumers_by_status/u],
  },
  {
    what: 'consumers that are blocked, even while only their senders know',
    work: consumers({ status: 'blocked' }),
    by: [/(using|on) consumers_(by_status|newest)/u, /(using|on) cursors_failing/u],
  },
  {
    what: 'consumers of a target',
    work: consumers({ targetId: id(7) }),
    by: [/using consumers_by_target/u],
  },
  {
    what: "consumers that can't send",
    work: consumers({ has: 'cannot_start' }),
    by: [/using consumers_(pkey|newest)/u],
  },
  {
    what: 'consumers by several words',
    work: consumers({ q: 'c1 t7 c' }),
    by: [/using consumers_newest/u],
  },
  { what: 'consumers by a text', work: consumers({ q: 'c1' }), by: [/using consumers_newest/u] },
  {
    what: 'stopped consumers of a target',
    work: consumers({ status: 'stopped', targetId: id(101) }),
    by: [/using consumers_by_(target|status)|on consumers_by_(target|status)/u],
  },
  {
    what: 'changes of a consumer',
    work: (sql) => createChanges(sql).list({ ...page, consumerId: ONE }),
    by: [/using changes_by_consumer/u],
  },
  {
    what: 'alerts',
    work: (sql) => createAlertsList(sql).list(alerts),
    by: [/using alerts_newest/u],
  },
  {
    what: 'alerts of a kind',
    work: (sql) => createAlertsList(sql).list({ ...alerts, kind: 'gone' }),
    by: [/using alerts_by_kind/u],
  },
  {
    what: 'alerts of a consumer',
    work: (sql) => createAlertsList(sql).list({ ...alerts, consumerId: ONE, kind: 'gone' }),
    by: [/using alerts_by_consumer/u],
  },
  {
    what: 'alerts of a source',
    work: (sql) => createAlertsList(sql).list({ ...alerts, sourceId: id(5) }),
    by: [/using alerts_by_source/u],
  },
  {
    what: 'dead letters',
    work: (sql) => createDeadLetters(sql).list({ ...page, consumerId: id(7) }),
    by: [/using dead_letters_newest/u],
  },
  {
    what: 'dead letters of a record',
    work: (sql) => createDeadLetters(sql).list({ ...page, consumerId: id(7), upstreamId: 'r6' }),
    by: [/using dead_letters_by_record/u],
  },
  {
    what: 'dead letters of a code',
    work: (sql) => createDeadLetters(sql).list({ ...page, consumerId: id(7), code: 'TIMEOUT' }),
    by: [/using dead_letters_by_code/u],
  },
  {
    what: 'dead letters of a status',
    work: (sql) => createDeadLetters(sql).list({ ...page, consumerId: id(7), status: '404' }),
    by: [/using dead_letters_by_status/u],
  },
  {
    what: 'dead letters without an answer',
    work: (sql) => createDeadLetters(sql).list({ ...page, consumerId: id(7), status: 'none' }),
    by: [/using dead_letters_by_status/u],
  },
  {
    what: 'dead letters of a code and a status, as the console asks for',
    work: (sql) =>
      createDeadLetters(sql).list({
        ...page,
        consumerId: id(7),
        code: 'HTTP_4XX',
        status: '404',
      }),
    by: [/using dead_letters_by_status/u],
  },
  {
    what: 'groups of dead letters',
    work: (sql) => createDeadLetters(sql).groups(id(7)),
    by: [/(using|on) dead_letters_/u],
  },
  {
    what: 'parked entries',
    work: (sql) => createParkedList(sql).list({ consumerId: id(7), limit: 10, after: 9_000 }),
    by: [/Index Scan Backward using parked_pkey/u],
  },
  {
    what: 'attempts of a consumer',
    work: (sql) => createAttempts(sql).list({ id: id(7), stream: 'events' }, attempts),
    by: [
      /using attempts_\d+_consumer_id_started_at/u,
      /using attempt_batches_\d+_consumer_id_committed_at/u,
      /(using|on) events_\d+_pkey/u, // what the entries are called
    ],
  },
  {
    what: 'attempts of all consumers of a target',
    work: (sql) => createTargetAttempts(sql).list(id(7), attempts),
    by: [
      /(using|on) attempts_\d+_(consumer_id_started_at|started_at)/u,
      /(using|on) attempt_batches_\d+_(consumer_id_committed_at|committed_at)/u,
      /(using|on) consumers_by_target/u,
    ],
  },
  {
    what: 'failed attempts of all consumers of a target that made few',
    work: (sql) => createTargetAttempts(sql).list(id(150), { ...attempts, outcome: 'failed' }),
    by: [/(using|on) attempts_\d+_(consumer_id_started_at|started_at)/u],
  },
  {
    what: 'attempts at an event by all consumers of a target',
    work: (sql) => createTargetAttempts(sql).list(id(8), { ...attempts, eventId: 'e107' }),
    by: [/(using|on) attempts_\d+_/u, /(using|on) attempt_batches_\d+_/u],
  },
  {
    what: 'attempts at an event by a consumer',
    work: (sql) =>
      createAttempts(sql).list({ id: id(8), stream: 'events' }, { ...attempts, eventId: 'e107' }),
    by: [/(using|on) attempts_\d+_/u, /(using|on) attempt_batches_\d+_/u],
  },
  {
    what: 'attempts at an event by all',
    work: (sql) => createAttempts(sql).listEvent('e10000', attempts),
    by: [/(using|on) attempts_\d+_\w+_idx/u, /on attempt_batches_\d+_committed_at_low/u],
  },
  {
    what: 'metrics of a consumer',
    work: (sql) =>
      readMetrics(sql, { consumerId: ONE, since: Date.now() - 60_000, stepSeconds: 1, lagNow: 0 }),
    by: [
      /(using|on) attempts_\d+_/u,
      /(using|on) attempt_batches_\d+_/u,
      /using lag_samples_pkey/u,
    ],
  },
  {
    what: 'syncs',
    work: (sql) =>
      createSyncs(sql).list({
        limit: 10,
        after: ['2026-01-05T00:00:00Z', 's7'],
      }),
    by: [/using syncs_newest/u],
  },
  {
    what: 'collections',
    work: (sql) =>
      createSyncs(sql).collections({
        syncId: null,
        limit: 10,
        after: null,
      }),
    by: [/using collections_newest/u],
  },
  {
    what: 'collections of a sync',
    work: (sql) =>
      createSyncs(sql).collections({
        syncId: 's7',
        limit: 10,
        after: null,
      }),
    by: [/(using|on) collections_(pkey|newest)/u],
  },
  {
    what: 'the newest entries, for a preview',
    work: (sql) => createPages(sql).newestKeys('events', 1_000),
    by: [/using events_0_pkey|Index Scan Backward using \w*events\w*/u],
  },
];

for (const { what, work, by } of CASES) {
  test(`a list of ${what} is read by index`, async () => {
    expect(await rows.faults(work, by)).toEqual([]);
  });
}

test('lists of syncs and collections do not read the records, which would be all of them', async () => {
  const page = { limit: 1_000, after: null };
  const plans = await plansOf(rows.db, async (sql) => {
    await createSyncs(sql).list(page);
    await createSyncs(sql).collections({ ...page, syncId: null });
  });
  expect(plans).toContain('syncs_newest');
  expect(plans).not.toMatch(/ (?:on|using) records/u);
});

test('attempts that were stored a few at a time are read with few statements', async () => {
  let statements = 0;
  const query: Sql['query'] = (asked) => {
    if (typeof asked !== 'string' && asked.text.includes('attempt_batches')) statements += 1;
    return rows.db.query(asked);
  };
  const filter = { limit: 100, after: null, upstreamId: 'nobody' };
  const { data, next } = await createAttempts({ query }).list(
    { id: id(7), stream: 'events' },
    filter,
  );
  expect([data, next]).toEqual([[], null]); // all were looked at: 1,600 in commits of two
  expect(statements).toBeLessThan(8);
});
