import type { Client } from 'pg';

import { fill } from './fill.ts';

/** How many rows `insertPast` inserts. */
export const PAST = {
  events: 200_000,
  failures: 200_000,
  batches: 16_000,
  batchSize: 50,
  deadLetters: 5_000,
  alerts: 2_000,
};

/** Every second attempt is the busy consumer's; the others are spread over the other consumers. */
const HALF = 2;

/**
 * Inserts a million attempts of the last six hours, half of them of one consumer, which also gets dead
 * letters and alerts. It uses plain SQL, and analyses the tables at the end.
 */
export async function insertPast(sql: Client, consumerId: string): Promise<void> {
  await fill(sql, {
    count: PAST.events,
    dataBytes: 300,
    sync: `'sync-' || n % 100`,
    upstream: `'r-' || n % 5000`,
  });
  await sql.query(
    `create temp table everyone as
       select row_number() over (order by id) as n, id from consumers where id <> $1`,
    [consumerId],
  );
  await sql.query('create index on everyone (n)');
  await sql.query('analyze everyone');
  await sql.query(FAILURES, [consumerId]);
  await sql.query(BATCHES, [consumerId]);
  await sql.query(DEAD_LETTERS, [consumerId]);
  await sql.query(ALERTS, [consumerId]);
  await sql.query('vacuum analyze');
  await sql.query('checkpoint');
}

/** An expression for the owner of the i-th row: the busy consumer's for every second one. */
const OWNER = (i: string): string =>
  `case when ${i} % ${HALF} = 0 then $1::uuid
        else (select id from everyone where n = 1 + ${i} % (select count(*) from everyone)) end`;

const FAILURES = `
  insert into attempts (id, consumer_id, position, message_id, event_id, attempt, started_at, duration_ms,
                        outcome, status, error_code, response_head, next_attempt_at)
  select uuidv7(), ${OWNER('i')}, e.position, e.event_id, e.event_id, 1 + i % 5, at, 5 + i % 900,
         'failed', 503, 'HTTP_5XX', 'Service Unavailable', at + interval '5 s'
    from generate_series(1, ${PAST.failures}) as i
    join events e on e.position = 1 + i % ${PAST.events}
   cross join lateral (select now() - interval '6 hours' * (1 - i::float / ${PAST.failures}) as at) as t`;

const BATCHES = `
  insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status,
                               entries, low, high, oldest)
  select ${OWNER('b')}, at, array_agg(first + k order by k),
         array_agg((extract(epoch from at) * 1000)::bigint - 30 - k order by k),
         array_agg((4 + (b + k) % 60)::integer order by k), array_agg(204::smallint),
         ${PAST.batchSize}, min(first + k), max(first + k),
         (extract(epoch from at) * 1000)::bigint - 30 - ${PAST.batchSize - 1}
    from generate_series(1, ${PAST.batches}) as b
   cross join lateral (select now() - interval '6 hours' * (1 - b::float / ${PAST.batches}) as at,
                              1 + (b / ${HALF}) * ${PAST.batchSize} % (${PAST.events} - ${PAST.batchSize}) as first) as t
   cross join generate_series(0, ${PAST.batchSize - 1}) as k
   group by b, at`;

const DEAD_LETTERS = `
  insert into dead_letters (id, consumer_id, position, message_id, sync_id, collection_id, upstream_id, event,
                            body, attempts, parked_at, died_at, last_failure, told)
  select uuidv7(), $1, e.position, e.event_id, e.sync_id, e.collection_id, e.upstream_id, e.event,
         '{"event":' || e.data || '}', 44, now() - interval '25 hours', now() - e.position * interval '1 s',
         jsonb_build_object('code', 'HTTP_4XX', 'status', 400 + e.position % 5, 'detail', 'refused'), true
    from events e where e.position <= ${PAST.deadLetters}`;

const ALERTS = `
  insert into alerts (id, consumer_id, kind, detail, at)
  select uuidv7(), $1, 'recovered', '{}', now() - i * interval '1 min'
    from generate_series(1, ${PAST.alerts}) as i`;
