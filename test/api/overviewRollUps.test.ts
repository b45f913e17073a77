// what the overview reads is summed up ahead, exactly and once
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import type { Db } from '../../src/db/db.ts';
import { createRetention } from '../../src/retention/eventRetention.ts';
import type { Overview } from '../../src/schema/overview.ts';
import { rollUp } from '../../src/telemetry/attemptRollUps.ts';
import { countAttempts } from '../../src/telemetry/attemptTotals.ts';
import { readTop } from '../../src/telemetry/topConsumers.ts';
import { readTotals } from '../../src/telemetry/totalsSeries.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { plansOf } from '../support/plans.ts';
import { silent } from '../support/streams.ts';

const HOUR_MS = 3_600_000;
const DAY = { seconds: 86_400, stepSeconds: 300 };
const WEEK = { seconds: 604_800, stepSeconds: 1_800 };
const TABLES = 'attempt_minutes, attempt_hours, attempt_points, attempt_ranges';

let opened: ConsumersApi;
let db: Db;
const ids: string[] = [];
beforeAll(async () => {
  opened = await openConsumersApi();
  db = opened.api.db;
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) ids.push((await opened.create({ name })).id);
});
afterAll(() => opened[Symbol.asyncDispose]());
beforeEach(() => db.query(`truncate ${TABLES}, attempts, attempt_batches`));

/** Minutes and hours that were counted up to five minutes ago, but for the first ones of nine days. */
async function countedDays(): Promise<void> {
  await db.query(`
    insert into attempt_minutes (at, delivered, failed, steps, counts, events_to, lag)
    select date_bin('1 min', now(), 'epoch') - n * interval '1 min', n % 7, n % 3,
           array[10 + n % 5, 20 + n % 11, 60], array[n % 4, n % 6, 1], 100000 - n, n % 13
      from generate_series(5, 9 * 1440 - 77) n`);
  await db.query({
    text: `
      insert into attempt_hours (at, consumer_id, delivered, failed, answers, answer_ms)
      select date_bin('1 hour', now(), 'epoch') - h * interval '1 hour', id, h % 9 + n, h % (n + 2), 10, 10 * h
        from unnest($1::uuid[]) with ordinality k(id, n)
       cross join generate_series(0, 9 * 24 - 2) h
       where (h + n) % 4 <> 0`,
    values: [ids],
  });
}

async function rolledUp(): Promise<{ points: number; ranges: number }> {
  const { rows } = await db.query<{ points: number; ranges: number }>(
    'select (select count(*) from attempt_points) as points, (select count(*) from attempt_ranges) as ranges',
  );
  return rows[0]!;
}

/** Who delivered and failed how much since the list begins, by the hours alone. */
async function sumsSince(since: string): Promise<Record<string, [number, number]>> {
  const { rows } = await db.query<{ id: string; delivered: number; failed: number }>({
    text: `
      select consumer_id as id, sum(delivered)::int as delivered, sum(failed)::int as failed
        from attempt_hours where at >= $1 group by consumer_id`,
    values: [since],
  });
  return Object.fromEntries(rows.map(({ id, delivered, failed }) => [id, [delivered, failed]]));
}

/** Reads what the overview shows of consumers, and compares it with the hours. */
async function topsAreExact(): Promise<void> {
  for (const hours of [1, 6, 24, 168]) {
    const top = await readTop(db, hours * 3_600);
    const sums = await sumsSince(top.since);
    expect(sums).toMatchObject(sumsOf(top.busiest));
    expect(sums).toMatchObject(sumsOf(top.failing));
    expect(top.busiest).toHaveLength(5);
    const age = Date.now() - Date.parse(top.since);
    expect(age).toBeGreaterThanOrEqual(hours * HOUR_MS);
    expect(age).toBeLessThan((hours + 2) * HOUR_MS);
  }
}

function sumsOf(list: Overview['top']['busiest']): Record<string, [number, number]> {
  return Object.fromEntries(
    list.map(({ consumer_id, delivered, failed }) => [consumer_id, [delivered, failed]]),
  );
}

/** Reads each series, also as minutes alone make it, within one transaction: `now()` stays the same. */
async function seriesAreExact(): Promise<void> {
  for (const range of [DAY, WEEK]) {
    await db.transaction(async (tx) => {
      const asked = { ...range, since: Date.now() - range.seconds * 1_000 };
      const summed = await readTotals(tx, asked);
      expect(summed.filter(({ delivered }) => delivered !== null).length).toBeGreaterThan(
        range.seconds / range.stepSeconds - 3,
      );
      await tx.query('truncate attempt_points');
      expect(summed).toEqual(await readTotals(tx, asked));
      await tx.query('insert into attempt_points select * from kept');
    });
  }
}

/** Sums up what is counted, as counting does, and notes it for `seriesAreExact`. */
async function sumUp(): Promise<void> {
  await db.transaction(rollUp);
  await db.query('drop table if exists kept');
  await db.query('create table kept as select * from attempt_points');
}

test('a range is the same whether or not its steps and hours were summed up beforehand', async () => {
  await countedDays();
  await topsAreExact();
  await sumUp();
  const { points, ranges } = await rolledUp();
  expect(points).toBeGreaterThan((8 * 86_400) / 300);
  expect(ranges).toBe(3 * ids.length);
  await seriesAreExact();
  await topsAreExact();
});

test('a step or a range that is summed up late, repeatedly, or by several processes at a time is counted once', async () => {
  await countedDays();
  await sumUp();
  const before = await rolledUp();
  await sumUp();
  expect(await rolledUp()).toEqual(before);
  // The server did not run for some hours: its steps and ranges are those of then.
  await db.query(`delete from attempt_points where at > now() - interval '5 hours'`);
  await db.query(`update attempt_ranges set until = until - interval '5 hours', delivered = 1e6`);
  await db.query('drop table kept');
  await db.query('create table kept as select * from attempt_points');
  await seriesAreExact();
  await topsAreExact();
  await Promise.all([1, 2, 3].map(() => countAttempts(db)));
  expect((await rolledUp()).points).toBeGreaterThanOrEqual(before.points);
  const late = await db.query<{ n: number }>(
    `select count(*) as n from attempt_ranges where until < now() - interval '3 hours'`,
  );
  expect(late.rows).toEqual([{ n: 0 }]);
  await sumUp();
  await seriesAreExact();
  await topsAreExact();
});

test('counting also sums up the periods that have ended, and answer times are those of each consumer', async () => {
  const [one, other] = ids;
  const { rows } = await db.query<{ hour: string }>(
    `select date_bin('1 hour', now(), 'epoch') - interval '3 hours' as hour`,
  );
  const hour = Date.parse(rows[0]!.hour);
  await db.query({
    text: `insert into attempt_minutes values ($1, 0, 0, '{}', '{}', 0, 0)`,
    values: [new Date(hour - 60_000).toISOString()],
  });
  const at = new Date(hour + 90_000).toISOString();
  await db.query({
    text: `
      insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status, entries, low, high, oldest)
      values ($1, $3, '{1,2}', '{1,1}', '{10,30}', '{200,200}', 2, 1, 2, 1), ($2, $3, '{1}', '{1}', '{500}', '{200}', 1, 1, 1, 1)`,
    values: [one, other, at],
  });
  await db.query({
    text: `
      insert into attempts (id, consumer_id, position, message_id, attempt, started_at, duration_ms, outcome, stored_at)
      values (gen_random_uuid(), $1, 1, 'm', 1, $2, 15000, 'failed', $2)`,
    values: [other, at],
  });
  await countAttempts(db);
  const points = await db.query({
    text: 'select delivered, failed from attempt_points where at = $1 order by seconds',
    values: [new Date(hour).toISOString()],
  });
  expect(points.rows).toEqual([
    { delivered: 3, failed: 1 },
    { delivered: 3, failed: 1 },
  ]);
  const hours = await db.query({
    text: 'select consumer_id, answers, answer_ms from attempt_hours order by answer_ms',
  });
  expect(hours.rows).toEqual([
    { consumer_id: one, answers: 2, answer_ms: 40 },
    { consumer_id: other, answers: 2, answer_ms: 15_500 },
  ]);
  const ranges = await db.query({
    text: `
      select hours, consumer_id, delivered, failed from attempt_ranges
       where consumer_id = $1 and until = (select max(until) from attempt_ranges) order by hours`,
    values: [other],
  });
  const summed = { consumer_id: other, delivered: 1, failed: 1 };
  expect(ranges.rows).toEqual([6, 24, 168].map((length) => ({ hours: length, ...summed })));
});

test('steps and ranges are dropped when the minutes are', async () => {
  await countedDays();
  await sumUp();
  const retention = createRetention({
    db,
    eventMs: 30 * 24 * HOUR_MS,
    attemptMs: 2 * HOUR_MS,
    alerts: {
      alertEmails: [],
      publicUrl: 'http://127.0.0.1:4600',
      alertWebhook: false,
      retryWindowMs: 24 * HOUR_MS,
      eventRetentionMs: 30 * 24 * HOUR_MS,
    },
    log: silent,
  });
  await retention.run();
  const { rows } = await db.query<{ minute: number; point: number; ranges: number }>(`
    select extract(epoch from now() - (select min(at) from attempt_minutes))::float8 as minute,
           extract(epoch from now() - (select min(at) from attempt_points))::float8 as point,
           (select count(*) from attempt_ranges) as ranges`);
  expect(rows[0]!.minute).toBeLessThanOrEqual(3 * 3_600);
  expect(rows[0]!.point).toBeLessThanOrEqual(3 * 3_600);
  expect(rows[0]!.point).toBeGreaterThan(2 * 3_600);
  expect(rows[0]!.ranges).toBe(3 * ids.length);
  await db.query(`update attempt_ranges set until = until - interval '4 hours'`);
  await retention.run();
  expect((await rolledUp()).ranges).toBe(0);
});

test('with many consumers and minutes, ranges and steps are read and written by index', async () => {
  await countedDays();
  await db.query(`
    insert into attempt_hours (at, consumer_id, delivered, failed)
    select date_bin('1 hour', now(), 'epoch') - h * interval '1 hour', md5(n::text)::uuid, 1, 0
      from generate_series(1, 500) n cross join generate_series(0, 215) h`);
  await sumUp();
  await db.query(`
    insert into attempt_points
    select seconds, at - n * interval '9 days', delivered, failed, p50, p95, events_to, lag
      from attempt_points cross join generate_series(1, 10) n`);
  await db.query(`
    insert into attempt_ranges
    select hours, until - n * interval '1 day', consumer_id, delivered, failed, answers, answer_ms
      from attempt_ranges cross join generate_series(1, 10) n`);
  await db.query('vacuum analyze');
  const series = await plansOf(db, (sql) =>
    readTotals(sql, { ...WEEK, since: Date.now() - WEEK.seconds * 1_000 }),
  );
  expect(series).toMatch(/attempt_points_pkey/u);
  expect(series).not.toMatch(/Seq Scan on attempt_(minutes|points)/u);
  const tops = await plansOf(db, (sql) => readTop(sql, DAY.seconds));
  expect(tops).toMatch(/attempt_ranges_pkey/u);
  expect(tops).not.toMatch(/Seq Scan on attempt_(hours|ranges)/u);
  const plans = await plansOf(db, rollUp);
  expect(plans).toMatch(/Insert on attempt_points/u);
  expect(plans).not.toMatch(/Seq Scan on attempt_(minutes|hours|points)/u);
});
