import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Sql } from '../../src/db/db.ts';
import { newId } from '../../src/db/ids.ts';
import type { Overview, OverviewPoint } from '../../src/schema/overview.ts';
import { countAttempts } from '../../src/telemetry/attemptTotals.ts';
import { readConsumerFigures } from '../../src/telemetry/consumerFigures.ts';
import { readTop } from '../../src/telemetry/topConsumers.ts';
import { readTotals } from '../../src/telemetry/totalsSeries.ts';
import { readTroubles } from '../../src/telemetry/troubles.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { plansOf } from '../support/plans.ts';

const MINUTE_MS = 60_000;

let opened: ConsumersApi;
/** The beginning of the minute that ran when counting began. */
let now: number;
beforeAll(async () => {
  opened = await openConsumersApi();
});
afterAll(() => opened[Symbol.asyncDispose]());

async function sql(text: string, values: unknown[] = []): Promise<void> {
  await opened.api.db.query({ text, values });
}

async function overview(range = '1h'): Promise<Overview> {
  const answer = await opened.api.request('GET', `/v1/overview?range=${range}`);
  expect({ status: answer.status, logged: opened.api.logged }).toEqual({ status: 200, logged: [] });
  return answer.body;
}

const minutesAgo = (minutes: number): string =>
  new Date(now - minutes * MINUTE_MS + 5_000).toISOString();

/** Counting begins with what is `minutes` old: nothing has happened before. */
async function countFrom(minutes: number): Promise<void> {
  const { rows } = await opened.api.db.query<{ at: string }>(
    `select date_trunc('minute', clock_timestamp()) as at`,
  );
  now = Date.parse(rows[0]!.at);
  await sql(
    'truncate attempt_minutes, attempt_hours, attempt_points, attempt_ranges, attempts, attempt_batches, lag_samples, lag_minutes',
  );
  await sql(
    `insert into attempt_minutes (at, delivered, failed, steps, counts, events_to, lag)
     values ($1, 0, 0, '{}', '{}', 0, 0)`,
    [new Date(now - (minutes + 1) * MINUTE_MS).toISOString()],
  );
}

async function delivered(consumerId: string, minutes: number, durations: number[]): Promise<void> {
  await sql(
    `insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status, entries, low, high, oldest)
     select $1, $2, array_agg(n), array_agg(0), $3::int[], array_agg(200), count(*), 1, count(*), 0
       from generate_series(1, cardinality($3::int[])) n`,
    [consumerId, minutesAgo(minutes), durations],
  );
}

/** As a commit stores it, but at another time. */
async function failed(consumerId: string, minutes: number, ms: number): Promise<void> {
  await sql(
    `insert into attempts (id, consumer_id, position, message_id, attempt, started_at, duration_ms, outcome, stored_at)
     values ($1, $2, 1, 'm', 1, $3, $4, 'failed', $3)`,
    [newId(), consumerId, minutesAgo(minutes), ms],
  );
}

function pointAt(points: OverviewPoint[], minutes: number): OverviewPoint {
  const at = now - minutes * MINUTE_MS;
  const found = points.find((point) => Date.parse(point.at) === at);
  if (found === undefined) throw new Error(`There is no point of ${minutes} minutes ago`);
  return found;
}

test('attempts of all consumers are counted once, whether their minute was counted already or not', async () => {
  await countFrom(30);
  const { id: one } = await opened.create({ name: 'one' });
  const { id: other } = await opened.create({ name: 'other' });
  await delivered(one, 20, [10, 10, 10]);
  await delivered(other, 20, [10, 900]);
  await failed(other, 20, 15_000);
  await delivered(one, 1, [4, 4]);
  await failed(one, 0, 30);
  const before = await overview();
  await countAttempts(opened.api.db);
  await countAttempts(opened.api.db);
  const { series, step } = await overview();
  expect(step).toBe(60);
  expect(pointAt(series, 20)).toMatchObject({ delivered: 5, failed: 1, p50_ms: 10 });
  expect(Math.abs(pointAt(series, 20).p95_ms! / 15_000 - 1)).toBeLessThan(0.05);
  expect(pointAt(series, 1)).toMatchObject({ delivered: 2, failed: 0, p50_ms: 4 });
  expect(pointAt(series, 0)).toMatchObject({ delivered: 0, failed: 1 });
  expect(series.at(-1)).toMatchObject({ lag: null }); // it may not have been sampled yet
  expect(pointAt(series, 10)).toMatchObject({ delivered: 0, failed: 0, p50_ms: null });
  expect(pointAt(series, 40)).toMatchObject({ delivered: null, failed: null, lag: null });
  // Those of minutes that were not counted are in the answer as well.
  expect(pointAt(before.series, 1)).toMatchObject({ delivered: 2 });
});

test('every range adds up to the same numbers', async () => {
  const sums = [];
  for (const range of ['1h', '6h', '24h', '7d']) {
    const { series } = await overview(range);
    sums.push([
      series.reduce((sum, point) => sum + (point.delivered ?? 0), 0),
      series.reduce((sum, point) => sum + (point.failed ?? 0), 0),
    ]);
  }
  expect(sums).toEqual([
    [7, 2],
    [7, 2],
    [7, 2],
    [7, 2],
  ]);
  expect((await opened.api.request('GET', '/v1/overview?range=2h')).status).toBe(400);
});

test('an attempt that a sender stores gets the time by which it is counted', async () => {
  const { id } = await opened.create();
  await sql(
    `insert into attempts select * from jsonb_to_recordset($1::jsonb) as a(
       id uuid, consumer_id uuid, position bigint, message_id text, event_id text, attempt int,
       started_at timestamptz, duration_ms int, outcome text, status int, error_code text,
       response_head text, next_attempt_at timestamptz)`,
    [
      JSON.stringify([
        {
          id: newId(),
          consumer_id: id,
          position: 1,
          message_id: 'm',
          attempt: 1,
          started_at: new Date(now - 86_400_000).toISOString(), // Postgres was away meanwhile
          duration_ms: 5,
          outcome: 'failed',
        },
      ]),
    ],
  );
  const { series } = await overview();
  const since = series.filter(({ at }) => Date.parse(at) >= now);
  expect(since.reduce((sum, point) => sum + (point.failed ?? 0), 0)).toBe(2);
});

test('lag is that of all consumers together, and appended events are counted in their minute', async () => {
  await countFrom(30);
  const { id: one } = await opened.create({ name: 'lags' });
  const { id: other } = await opened.create({ name: 'lags most' });
  await opened.append('s', 3);
  await sql('update events set event_inserted_at = $1', [minutesAgo(10)]);
  await opened.append('s', 2);
  for (const [id, minutes, entries] of [
    [one, 20, 7],
    [other, 20, 5],
    [one, 0, 1],
    [other, 0, 3],
  ] as const) {
    await sql('insert into lag_samples values ($1, $2, $3)', [
      id,
      new Date(now - minutes * MINUTE_MS).toISOString(),
      entries,
    ]);
  }
  for (const minutes of [20, 11, 10])
    await sql('insert into lag_minutes values ($1)', [
      new Date(now - minutes * MINUTE_MS).toISOString(),
    ]);
  await countAttempts(opened.api.db);
  const { series, top } = await overview();
  expect(pointAt(series, 20)).toMatchObject({ lag: 12, appended: 0 });
  expect(pointAt(series, 15).lag).toBeNull(); // no process sampled then
  expect(pointAt(series, 10)).toMatchObject({ lag: 0, appended: 3 });
  expect(series.reduce((sum, { appended }) => sum + (appended ?? 0), 0)).toBe(5);
  expect(pointAt(series, 0).lag).toBe(4);
  expect(top.laggiest).toEqual([
    { consumer_id: other, name: 'lags most', entries: 3, exact: false },
    { consumer_id: one, name: 'lags', entries: 1, exact: false },
  ]);
});

test('the busiest and the most often failing consumers are found by whole hours, without deleted ones', async () => {
  await countFrom(30);
  const ids = [];
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'gone']) {
    ids.push((await opened.create({ name })).id as string);
  }
  for (const [index, id] of ids.entries()) {
    await delivered(
      id,
      20,
      Array.from({ length: index + 1 }, () => 5),
    );
  }
  await failed(ids[1]!, 20, 5);
  await sql('update consumers set deleted_at = now() where id = $1', [ids[6]]);
  await countAttempts(opened.api.db);
  const { top } = await overview();
  expect(top.busiest.map(({ name, delivered: many }) => [name, many])).toEqual([
    ['f', 6],
    ['e', 5],
    ['d', 4],
    ['c', 3],
    ['b', 2],
  ]);
  expect(top.failing).toEqual([{ consumer_id: ids[1], name: 'b', delivered: 2, failed: 1 }]);
  expect(Date.parse(top.since) % 3_600_000).toBe(0);
  expect(Math.abs(Date.parse(top.until) - Date.now())).toBeLessThan(MINUTE_MS);
  const read = await opened.api.request('GET', '/v1/overview?range=7d');
  expect(read.body.top.busiest).toEqual(top.busiest);
});

test('the slowest targets are those whose attempts took longest on average, over their consumers', async () => {
  await countFrom(30);
  const targets = [];
  for (const [name, answers] of [
    ['quick', [[10, 20], [30]]],
    ['slow', [[100], [2_000, 3_000]]],
    ['slower', [[2_000]]],
  ] as const) {
    const made = await opened.api.request('POST', '/v1/targets', {
      name,
      base_url: 'https://example.com',
    });
    targets.push(made.body.id);
    for (const durations of answers) {
      const { id } = await opened.create({ target_id: made.body.id });
      await delivered(id, 20, [...durations]);
    }
  }
  const gone = await opened.create({ name: 'gone', target_id: targets[0] });
  await failed(gone.id, 20, 15_000);
  await sql('update consumers set deleted_at = now() where id = $1', [gone.id]);
  await countAttempts(opened.api.db);
  const { top } = await overview('24h');
  expect(top.slowest).toEqual([
    { target_id: targets[2], name: 'slower', mean_ms: 2_000, attempts: 1 },
    { target_id: targets[1], name: 'slow', mean_ms: 1_700, attempts: 3 },
    { target_id: targets[0], name: 'quick', mean_ms: 20, attempts: 3 },
  ]);
});

test('with many consumers and attempts, everything is read by indexes', async () => {
  await sql(`
    insert into consumers (id, name, target_id, stream, path, ordering, alert_emails, metadata, region,
                           status, filter_version, version, created_at, updated_at)
    select gen_random_uuid(), 'many ' || n, t.id, 'events', '', 'record', '{}', '{}', 'us-west-2', 'active', 1, 1, now(), now()
      from generate_series(1, 10000) n, (select id from targets limit 1) t`);
  await sql(`
    insert into cursors (consumer_id, position)
    select id, 0 from consumers on conflict do nothing`);
  await sql(
    'truncate attempt_minutes, attempt_hours, attempt_points, attempt_ranges, attempts, attempt_batches, lag_samples',
  );
  await sql(`
    insert into attempt_minutes
    select date_trunc('minute', now()) - n * interval '1 min', 100, 1, '{40,41}', '{60,41}', 0, 5
      from generate_series(2, 10080) n`);
  await sql(`
    insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status, entries, low, high, oldest)
    select id, now() - n * interval '1 s', '{1}', '{1}', '{5}', '{200}', 1, 1, 1, 1
      from (select id, row_number() over () as n from consumers) k
     cross join generate_series(1, 5)`);
  await sql(`
    insert into attempt_hours
    select date_bin('1 hour', now(), 'epoch') - h * interval '1 hour', id, 10, 1
      from (select id from consumers limit 500) k cross join generate_series(0, 167) h`);
  await sql(`
    insert into lag_samples
    select id, date_trunc('minute', now()) - m * interval '1 min', m
      from (select id from consumers limit 500) k cross join generate_series(0, 199) m`);
  await sql('vacuum analyze');
  const { db } = opened.api;
  const troubled = await plansOf(db, (one) => readTroubles(one, 86_400_000));
  expect(troubled).not.toContain('Seq Scan on consumers');
  const tops = await plansOf(db, (one) => readTop(one, 3_600));
  expect(tops).toMatch(/attempt_hours_pkey/u);
  expect(tops).not.toMatch(/Seq Scan on (attempt_hours|lag_samples|attempt_batches_\d+)/u);
  const figures = await plansOf(db, (one) => readConsumerFigures(one, 20));
  expect(figures).toMatch(/Scan (on|using) lag_samples/u);
  expect(figures).not.toMatch(/Seq Scan on lag_samples/u);
  const series = await plansOf(db, (one) =>
    readTotals(one, { since: Date.now() - 3_600_000, stepSeconds: 60 }),
  );
  expect(series).toMatch(/attempt_minutes_pkey/u);
  expect(series).not.toMatch(/Seq Scan on attempt_minutes/u);
  await sql(`delete from attempt_minutes where at > now() - interval '5 min'`);
  let counted = '';
  const query: Sql['query'] = async (asked) => {
    const { text, values = [] } = typeof asked === 'string' ? { text: asked } : asked;
    const plan = await db.query({ text: `explain ${text}`, values });
    counted += JSON.stringify(plan.rows);
    return db.query(asked);
  };
  await countAttempts({ query, transaction: (work) => work({ query }) });
  expect(counted).toContain('Insert on attempt_minutes');
  expect(counted).not.toMatch(/Seq Scan on (attempt_minutes|attempt_batches_\d+)/u);
});
