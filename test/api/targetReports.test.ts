import { afterAll, beforeAll, expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import type { TargetAttempt } from '../../src/schema/attempt.ts';
import type { TargetMetrics } from '../../src/schema/overview.ts';
import { countAttempts } from '../../src/telemetry/attemptTotals.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';

const MINUTE_MS = 60_000;

let opened: ConsumersApi;
/** The beginning of the minute that ran when the tests began. */
let now: number;
let target: string;
/** Two consumers of the target, and one of another. */
let one: string;
let other: string;
let foreign: string;

beforeAll(async () => {
  opened = await openConsumersApi();
  const { rows } = await opened.api.db.query<{ at: string }>(
    `select date_trunc('minute', clock_timestamp()) as at`,
  );
  now = Date.parse(rows[0]!.at);
  target = await newTarget('Warehouse');
  one = (await opened.create({ name: 'one', target_id: target })).id;
  other = (await opened.create({ name: 'other', target_id: target, stream: 'records' })).id;
  foreign = (await opened.create({ name: 'foreign' })).id;
  await sql(`update consumers set created_at = now() - interval '30 days'`);
});
afterAll(() => opened[Symbol.asyncDispose]());

async function sql(text: string, values: unknown[] = []): Promise<void> {
  await opened.api.db.query({ text, values });
}

async function newTarget(name: string): Promise<string> {
  const made = await opened.api.request('POST', '/v1/targets', {
    name,
    base_url: 'https://example.com',
  });
  return made.body.id;
}

async function read<T>(path: string): Promise<T> {
  const answer = await opened.api.request('GET', path);
  expect(answer.status, `${path} ${opened.api.logged.join('\n')}`).toBe(200);
  return answer.body;
}

const metrics = (id: string, range = '1h'): Promise<TargetMetrics> =>
  read(`/v1/targets/${id}/metrics?range=${range}`);

type Page = { data: TargetAttempt[]; next_cursor: string | null };
const attempts = (query = '', id = target): Promise<Page> =>
  read(`/v1/targets/${id}/attempts?${query}`);

const minutesAgo = (minutes: number, ms = 5_000): string =>
  new Date(now - minutes * MINUTE_MS + ms).toISOString();

/** A batch of first successes, as a commit stores it. */
async function delivered(id: string, minutes: number, ms: number[], first = 1): Promise<void> {
  const at = minutesAgo(minutes);
  await sql(
    `insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status, entries, low, high, oldest)
     select $1, $2, array_agg($4::bigint + n - 1), array_agg($5::bigint + n), $3::int[], array_agg(200), count(*), $4, $4 + count(*) - 1, $5
       from generate_series(1, cardinality($3::int[])) n`,
    [id, at, ms, first, Date.parse(at) - 1_000],
  );
}

async function failed(id: string, minutes: number, fields: object = {}): Promise<string> {
  const attempt = { id: newId(), status: 503, position: 1, ms: 30, ...fields };
  await sql(
    `insert into attempts (id, consumer_id, position, message_id, attempt, started_at, duration_ms, outcome, status, error_code, stored_at)
     values ($1, $2, $3, 'm', 1, $4, $5, 'failed', $6, 'HTTP_5XX', $4)`,
    [attempt.id, id, attempt.position, minutesAgo(minutes), attempt.ms, attempt.status],
  );
  return attempt.id;
}

function pointAt({ data }: TargetMetrics, minutes: number) {
  const found = data.find(({ at }) => Date.parse(at) === now - minutes * MINUTE_MS);
  if (found === undefined) throw new Error(`There is no point of ${minutes} minutes ago`);
  return found;
}

test('the attempts of the consumers of a target, and no others, are counted by the minute, whether the minute was counted already or not', async () => {
  await sql('truncate attempt_minutes, target_minutes, attempts, attempt_batches');
  await sql(
    `insert into attempt_minutes (at, delivered, failed, steps, counts, events_to, lag, by_target)
     values ($1, 0, 0, '{}', '{}', 0, 0, true)`,
    [new Date(now - 31 * MINUTE_MS).toISOString()],
  );
  await delivered(one, 20, [10, 10, 10]);
  await delivered(other, 20, [10, 900]);
  await failed(other, 20, { ms: 15_000 });
  await delivered(foreign, 20, [1, 1]);
  await delivered(one, 1, [4, 4]);
  await failed(one, 0);
  const before = await metrics(target);
  await countAttempts(opened.api.db);
  await countAttempts(opened.api.db);
  const after = await metrics(target);
  expect(after).toMatchObject({ range: '1h', step: 60 });
  expect(pointAt(after, 20)).toMatchObject({ delivered: 5, failed: 1, p50_ms: 10 });
  expect(Math.abs(pointAt(after, 20).p95_ms! / 15_000 - 1)).toBeLessThan(0.05);
  expect(pointAt(before, 1)).toMatchObject({ delivered: 2, failed: 0, p50_ms: 4 });
  expect(pointAt(after, 1)).toMatchObject({ delivered: 2, failed: 0, p50_ms: 4 });
  expect(pointAt(after, 0)).toMatchObject({ delivered: 0, failed: 1 });
  expect(pointAt(after, 10)).toMatchObject({ delivered: 0, failed: 0, p50_ms: null });
  expect(pointAt(after, 40)).toMatchObject({ delivered: null, failed: null, p50_ms: null });
  expect(pointAt(await metrics(opened.targetId), 20)).toMatchObject({ delivered: 2, failed: 0 });
});

test('every range of a target adds up to the same numbers', async () => {
  for (const range of ['1h', '6h', '24h', '7d']) {
    const { data } = await metrics(target, range);
    const sum = (of: 'delivered' | 'failed'): number =>
      data.reduce((total, point) => total + (point[of] ?? 0), 0);
    expect([range, sum('delivered'), sum('failed')]).toEqual([range, 7, 2]);
  }
});

test('a minute that an older version has counted is shown as unknown, not as empty', async () => {
  const minute = new Date(now - 15 * MINUTE_MS).toISOString();
  await sql('update attempt_minutes set by_target = false where at = $1', [minute]);
  expect(pointAt(await metrics(target), 15)).toMatchObject({ delivered: null, failed: null });
});

test('the attempts of a consumer stay with the target that it had at the time', async () => {
  const elsewhere = await newTarget('Elsewhere');
  await sql('update consumers set target_id = $2 where id = $1', [other, elsewhere]);
  expect(pointAt(await metrics(target), 20)).toMatchObject({ delivered: 5, failed: 1 });
  expect(pointAt(await metrics(elsewhere), 20)).toMatchObject({ delivered: 0 });
  await sql('update consumers set target_id = $2 where id = $1', [other, target]);
});

test('over a week in which every minute was busy all attempts are counted, and each step has its answer times', async () => {
  await sql('truncate attempt_minutes, target_minutes, attempts, attempt_batches');
  const begin = new Date(now).toISOString();
  await sql(
    `insert into attempt_minutes (at, delivered, failed, steps, counts, events_to, lag, by_target)
     select $1::timestamptz - n * interval '1 min', 3, 1, '{24,40}', '{3,1}', 0, 0, true
       from generate_series(2, 10060) n`,
    [begin],
  );
  await sql(
    `insert into target_minutes (target_id, at, delivered, failed, steps, counts)
     select $2, $1::timestamptz - n * interval '1 min', 3, 1, '{24,40}', '{3,1}'
       from generate_series(2, 10060) n`,
    [begin, target],
  );
  const { data } = await metrics(target, '7d');
  const active = data.filter(({ delivered }) => delivered !== null && delivered > 0);
  expect(active.length).toBeGreaterThan(330);
  expect(active.reduce((sum, { delivered }) => sum + delivered!, 0)).toBe(3 * 10_059);
  expect(active.reduce((sum, { failed }) => sum + failed!, 0)).toBe(10_059);
  expect(new Set(active.map(({ p50_ms, p95_ms }) => `${p50_ms} ${p95_ms}`))).toEqual(
    new Set(['7 32']),
  );
});

test('the attempts of all consumers of a target are one list, newest first, each with the name of its consumer', async () => {
  await sql('truncate attempts, attempt_batches');
  await opened.append('s', 3);
  await sql('update events set event_inserted_at = $1', [minutesAgo(50)]);
  await delivered(one, 40, [5, 5, 5]);
  await delivered(other, 38, [7], 9);
  const first = await failed(other, 39);
  await failed(foreign, 39);
  const last = await failed(one, 2, { status: 500 });
  const { data, next_cursor } = await attempts();
  expect(next_cursor).toBeNull();
  expect(data.map((row) => [row.consumer_name, row.position, row.outcome])).toEqual([
    ['one', 1, 'failed'],
    ['other', 9, 'delivered'],
    ['other', 1, 'failed'],
    ['one', 3, 'delivered'],
    ['one', 2, 'delivered'],
    ['one', 1, 'delivered'],
  ]);
  expect([data[0]?.id, data[2]?.id]).toEqual([last, first]);
  const own = await read<Page>(`/v1/consumers/${one}/attempts`);
  const { consumer_name: _name, ...same } = data[3]!;
  expect(own.data).toContainEqual(same); // with the id of its event
  expect(same.event_id).not.toBeNull();
  expect(data[1]).toMatchObject({ event_id: null, message_id: 'position:9' }); // of the records stream
});

test('the list takes the same filters as that of a consumer', async () => {
  const positions = async (query: string): Promise<number[]> =>
    (await attempts(query)).data.map(({ position }) => position);
  expect(await positions('outcome=failed')).toEqual([1, 1]);
  expect(await positions('status=500')).toEqual([1]);
  expect(await positions('outcome=delivered')).toEqual([9, 3, 2, 1]);
  const between = minutesAgo(38, -30_000);
  expect(await positions(`since=${between}`)).toEqual([1, 9]);
  expect(await positions(`until=${between}`)).toEqual([1, 3, 2, 1]);
  const { body } = await opened.api.request('GET', '/v1/events');
  const { event_id, upstream_id } = body.events[1];
  expect(await positions(`event_id=${event_id}`)).toEqual([2]);
  expect(await positions(`upstream_id=${upstream_id}`)).toEqual([2]);
  const none = await opened.api.request('GET', `/v1/targets/${target}/attempts?wait_for=1`);
  expect(none.status).toBe(400);
});

test('pages of any size hold each attempt once, even where one commit stored those of many consumers', async () => {
  await sql('truncate attempts, attempt_batches');
  const ids = [one, other];
  for (let n = 0; n < 20; n += 1) {
    ids.push((await opened.create({ name: `c${n}`, target_id: target })).id as string);
  }
  await sql(`update consumers set created_at = now() - interval '30 days'`);
  for (const first of [1, 11, 21, 31]) {
    for (const id of ids) await delivered(id, 30, [1, 2], first); // all at the same time
  }
  for (const [n, id] of ids.entries()) await failed(id, 5 + n);
  await delivered(one, 60 * 24 * 3, [1, 1, 1]);
  const all = (await attempts('limit=1000')).data.map(({ id }) => id);
  expect(all).toHaveLength(22 * 9 + 3);
  expect(new Set(all).size).toBe(all.length);
  for (const limit of [7, 100]) {
    const walked: string[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Page = await attempts(`limit=${limit}${cursor && `&cursor=${cursor}`}`);
      expect(page.data.length).toBeLessThanOrEqual(limit);
      walked.push(...page.data.map(({ id }) => id));
      cursor = page.next_cursor;
    }
    expect(walked).toEqual(all);
  }
});

test('a target without consumers has no attempts, and a target that does not exist is a 404', async () => {
  const lonely = await newTarget('Lonely');
  expect(await attempts('', lonely)).toEqual({ data: [], next_cursor: null });
  expect(pointAt(await metrics(lonely), 20)).toMatchObject({ delivered: 0, failed: 0 });
  for (const what of ['attempts', 'metrics']) {
    const answer = await opened.api.request('GET', `/v1/targets/${newId()}/${what}`);
    expect([answer.status, answer.body.code]).toEqual([404, 'not_found']);
    expect(answer.body.detail).toContain('There is no target');
  }
  expect((await opened.api.request('GET', `/v1/targets/${lonely}/metrics?range=2h`)).status).toBe(
    400,
  );
});

test('a target says how many consumers send to it, and lists no troubles but its own', async () => {
  const mine = await newTarget('Mine');
  const [well, ill, held] = await Promise.all(
    ['well', 'ill', 'held'].map(
      async (name) => (await opened.create({ name, target_id: mine })).id as string,
    ),
  );
  const failure = { code: 'HTTP_5XX', status: 503, detail: 'HTTP 503', at: minutesAgo(9) };
  const ills = `head = 1, schedule_from = now(), last_failure = '${JSON.stringify(failure)}'`;
  await opened.setCursor(ill!, ills);
  await opened.setCursor(foreign, ills);
  await sql(`update consumers set status = 'paused' where id = $1`, [held]);
  expect((await opened.api.request('GET', `/v1/targets/${mine}`)).body.consumers).toEqual({
    active: 1,
    paused: 1,
    blocked: 1,
    stopped: 0,
    cannot_start: { active: 0, blocked: 0 },
  });
  const { data, total } = await read<{ data: object[]; total: number }>(
    `/v1/troubles?target_id=${mine}`,
  );
  expect(total).toBe(1);
  expect(data).toMatchObject([
    { target_id: mine, consumer_id: ill, http_status: 503, consumers: 1, of: 3 },
  ]);
  expect(await read(`/v1/troubles?target_id=${target}`)).toEqual({ data: [], total: 0 });
  expect(well).toBeDefined();
});

test('of its consumers a target also counts those that can not send, by the status that they are shown with', async () => {
  const mine = await newTarget('Faulty');
  const ids: string[] = [];
  for (const name of ['sends', 'faulty', 'faulty and failing', 'faulty once, now paused']) {
    ids.push((await opened.create({ name, target_id: mine })).id as string);
  }
  for (const id of ids.slice(1)) {
    await sql(
      `insert into start_faults (consumer_id, code, detail, since, next_try_at, is_crash)
       values ($1, 'internal_error', 'it crashed', now(), now(), false)`,
      [id],
    );
  }
  const failure = { code: 'HTTP_5XX', status: 503, detail: 'HTTP 503', at: minutesAgo(9) };
  await opened.setCursor(
    ids[2]!,
    `head = 1, schedule_from = now(), last_failure = '${JSON.stringify(failure)}'`,
  );
  await sql(`update consumers set status = 'paused' where id = $1`, [ids[3]]);
  const { consumers } = (await opened.api.request('GET', `/v1/targets/${mine}`)).body;
  expect(consumers).toEqual({
    active: 2,
    paused: 1,
    blocked: 1,
    stopped: 0,
    cannot_start: { active: 1, blocked: 1 },
  });
});
