import type { Client } from 'pg';

import { fill } from './fill.ts';

const ATTEMPTS = { failures: 200_000, batches: 80_000, batchSize: 10 };

/** How many rows `insertPast` inserts, and how many attempts they hold. */
export const PAST = {
  ...ATTEMPTS,
  attempts: ATTEMPTS.failures + ATTEMPTS.batches * ATTEMPTS.batchSize,
  events: 200_000,
  records: 200_000,
  deadLetters: 50_000,
  parked: 10_000,
  alerts: 10_000,
  changes: 50_000,
  syncs: 5_000,
};

/** Every second attempt is the busy consumer's; the others are spread over the other consumers. */
const HALF = 2;
const SPAN = `interval '6 hours'`;

/**
 * Inserts the last six hours: events, records and a million attempts, half of them of one consumer, which also
 * gets most of the dead letters, parked entries, alerts and changes. It uses plain SQL and the table `crowd` of
 * `spreadOverTargets`.
 */
export async function insertPast(sql: Client, busyId: string): Promise<void> {
  await fill(sql, {
    count: PAST.events,
    dataBytes: 300,
    sync: `'sync-' || n % 100`,
    upstream: `'r-' || n % 5000`,
  });
  for (const statement of OF_STREAMS) await sql.query(statement);
  for (const statement of [FAILURES, BATCHES, DEAD_LETTERS, PARKED, ALERTS, CHANGES, LAG]) {
    await sql.query(statement, [busyId]);
  }
  await sql.query('vacuum analyze');
  await sql.query('checkpoint');
}

/**
 * Inserts counts of a week, except for the last six hours: minutes of all consumers, and of the target of the
 * busy one, and hours in which every tenth consumer sent something.
 */
export async function insertWeek(sql: Client, busyId: string): Promise<void> {
  await sql.query('begin'); // otherwise the server counts in between, and continues from there
  await sql.query(
    'truncate attempt_minutes, attempt_hours, attempt_points, attempt_ranges, target_minutes',
  );
  await sql.query(`
    insert into attempt_minutes (at, delivered, failed, steps, counts, events_to, lag, by_target)
    select ${minutesAgo('n')}, 900, 20, ${STEPS}, ${COUNTS}, 0, 1000, true
      from generate_series(360, 10080) n`);
  await sql.query(
    `insert into target_minutes (target_id, at, delivered, failed, steps, counts)
     select target_id, ${minutesAgo('n')}, 400, 10, ${STEPS}, ${COUNTS}
       from consumers, generate_series(360, 10080) n where id = $1`,
    [busyId],
  );
  await sql.query(`
    insert into attempt_hours (at, consumer_id, delivered, failed, answers, answer_ms)
    select date_bin('1 hour', now(), 'epoch') - h * interval '1 hour', id, 50, 1, 51, 51 * (n % 900)
      from (select id, row_number() over () as n from consumers) k
      join generate_series(7, 167) h on n % 10 = h % 10`);
  await sql.query('commit');
  await sql.query('vacuum analyze');
}

const minutesAgo = (n: string): string =>
  `date_bin('1 min', now(), 'epoch') - ${n} * interval '1 min'`;
const STEPS = 'array(select generate_series(20, 45)::smallint)';
const COUNTS = 'array(select 30::float8 from generate_series(20, 45))';

/** An SQL expression for the owner of the i-th row: the busy consumer for every second row. */
const OWNER = (i: string): string =>
  `case when ${i} % ${HALF} = 0 then $1::uuid
        else (select id from crowd where n = 1 + ${i} % (select count(*) from crowd)) end`;

/** An SQL expression for the time of the i-th of so many rows, which are spread over the six hours. */
const timeOf = (i: string, count: number): string =>
  `now() - ${SPAN} * (1 - ${i}::float8 / ${count})`;

const OF_STREAMS = [
  `update events set event_inserted_at = ${timeOf('position', PAST.events)}`,
  `insert into records (sync_id, collection_id, upstream_id, position, version_id, data, size, deleted,
                        created_at, updated_at)
   select 'sync-' || n % 100, 'bench:item', 'r-' || n, n, uuidv7(at - now())::text, '{"n":1}', 7, false, at, at
     from generate_series(1, ${PAST.records}) n
    cross join lateral (select ${timeOf('n', PAST.records)} as at) t`,
  `update streams set last_position = ${PAST.records}, last_at = now() where name = 'records'`,
  `insert into syncs (sync_id, name, events, last_at)
   select 'tenant-' || n, 'Shop ' || n, 1, now() - n * interval '1 s' from generate_series(1, ${PAST.syncs}) n`,
  `insert into collections (sync_id, collection_id, events, last_at)
   select 'tenant-' || n, 'shop:order', 1, now() - n * interval '1 s' from generate_series(1, ${PAST.syncs}) n`,
];

const FAILURES = `
  insert into attempts (id, consumer_id, position, message_id, event_id, attempt, started_at, duration_ms,
                        outcome, status, error_code, response_head, next_attempt_at, stored_at)
  select uuidv7(), ${OWNER('i')}, e.position, e.event_id, e.event_id, 1 + i % 5, at, 5 + i % 900,
         'failed', 503, 'HTTP_5XX', 'Service Unavailable', at + interval '5 s', at + interval '1 s'
    from generate_series(1, ${PAST.failures}) as i
    join events e on e.position = 1 + i % ${PAST.events}
   cross join lateral (select ${timeOf('i', PAST.failures)} as at) as t
   order by i`;

const BATCHES = `
  insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status,
                               entries, low, high, oldest)
  select ${OWNER('b')}, at, array_agg(first + k order by k),
         array_agg((extract(epoch from at) * 1000)::bigint - 30 - k order by k),
         array_agg((4 + (b + k) % 60)::integer order by k), array_agg(204::smallint),
         ${PAST.batchSize}, min(first + k), max(first + k),
         (extract(epoch from at) * 1000)::bigint - 30 - ${PAST.batchSize - 1}
    from generate_series(1, ${PAST.batches}) as b
   cross join lateral (select ${timeOf('b', PAST.batches)} as at,
                              1 + (b / ${HALF}) * ${PAST.batchSize} % (${PAST.events} - ${PAST.batchSize}) as first) as t
   cross join generate_series(0, ${PAST.batchSize - 1}) as k
   group by b, at
   order by b`;

/** The owner of a parked entry or dead letter: the busy consumer, except for every fiftieth row. */
const MOSTLY_BUSY = `case when e.position % 50 = 0 then (select id from crowd where n = 1 + e.position % 300)
                          else $1::uuid end`;

const DEAD_LETTERS = `
  insert into dead_letters (id, consumer_id, position, message_id, sync_id, collection_id, upstream_id, event,
                            body, attempts, parked_at, died_at, last_failure, told)
  select uuidv7(), ${MOSTLY_BUSY}, e.position, e.event_id, e.sync_id, e.collection_id, e.upstream_id, e.event,
         '{"event":' || e.data || '}', 44, now() - interval '25 hours', now() - e.position * interval '1 s',
         jsonb_build_object('code', 'HTTP_4XX', 'status', 400 + e.position % 5, 'detail', 'refused', 'at', now(),
                            'response_head', 'refused'), true
    from events e where e.position <= ${PAST.deadLetters}`;

const PARKED = `
  insert into parked (consumer_id, position, message_id, sync_id, collection_id, upstream_id, event, body,
                      attempts, parked_at, parked_ms, failing_ms, due_ms, last_failure)
  select ${MOSTLY_BUSY}, e.position, e.event_id, e.sync_id, e.collection_id, e.upstream_id, e.event,
         '{"event":' || e.data || '}', 4, now() - interval '1 hour', 0, 0, e.position,
         jsonb_build_object('code', 'HTTP_4XX', 'status', 422, 'detail', 'refused', 'at', now())
    from events e where e.position > ${PAST.events - PAST.parked}`;

const ALERTS = `
  insert into alerts (id, consumer_id, kind, detail, at)
  select uuidv7(), c.id, case when i % 100 = 0 then 'gone' else 'recovered' end,
         jsonb_build_object(
           'consumer_id', c.id, 'name', c.name, 'reason', 'it is delivering again',
           'target', t.name, 'target_id', t.id, 'endpoint', t.base_url, 'failing_since', null,
           'last_failure', null, 'position', 0, 'waiting', 0, 'waiting_exact', true,
           'url', 'http://127.0.0.1/consumers/' || c.id),
         now() - i * interval '1 s'
    from generate_series(1, ${PAST.alerts}) as i
    join consumers c
      on c.id = case when i % 5 = 0 then $1::uuid else (select id from crowd where n = i) end
    join targets t on t.id = c.target_id`;

const CHANGES = `
  insert into changes (id, consumer_id, edit_id, action, actor, detail, version, at)
  select uuidv7(), case when i % 50 = 0 then $1::uuid
                        else (select id from crowd where n = 1 + i % (select count(*) from crowd)) end,
         'edit ' || i, case when i % 2 = 0 then 'paused' else 'resumed' end, 'ada', '{}', 1 + i,
         now() - i * interval '1 s'
    from generate_series(1, ${PAST.changes}) as i`;

/**
 * Of the busy consumer a row each minute, and of a thousand others in the last three minutes; the server notes
 * some meanwhile.
 */
const LAG = `
  insert into lag_samples (consumer_id, at, entries)
  select $1::uuid, date_trunc('minute', now()) - m * interval '1 min', 2000 from generate_series(1, 360) m
  union all
  select id, date_trunc('minute', now()) - m * interval '1 min', n from crowd, generate_series(1, 3) m where n <= 1000
      on conflict do nothing`;
