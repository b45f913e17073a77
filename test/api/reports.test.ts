import { afterAll, beforeAll, expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import { sampleLag } from '../../src/telemetry/lagSamples.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { until } from '../support/poll.ts';
import { openReceiver } from '../support/receiver.ts';
import { openWorld, someEvents } from '../support/world.ts';

let opened: ConsumersApi;
beforeAll(async () => {
  opened = await openConsumersApi();
});
afterAll(() => opened[Symbol.asyncDispose]());

async function get(path: string, status = 200) {
  const answer = await opened.api.request('GET', path);
  expect({ path, status: answer.status }).toEqual({ path, status });
  return answer.body;
}

async function sql(text: string, values: unknown[] = []): Promise<void> {
  await opened.api.db.query({ text, values });
}

/** Pages of one, followed to the end. */
async function walk(path: string): Promise<{ id: string }[]> {
  const all: { id: string }[] = [];
  for (let cursor = ''; ;) {
    const { data, next_cursor } = await get(`${path}limit=1${cursor}`);
    all.push(...data);
    if (next_cursor === null) return all;
    cursor = `&cursor=${next_cursor}`;
  }
}

test('alerts are listed newest first and filtered, and say what became of their mail', async () => {
  const { id } = await opened.create();
  const { id: other } = await opened.create();
  const kinds = ['warning', 'stopped', 'retention', 'recovered'];
  const ids = kinds.map(() => newId());
  for (const [n, kind] of kinds.entries()) {
    await sql(
      `insert into alerts (id, consumer_id, kind, detail, at, message_id)
       values ($1, $2, $3, '{"reason":"because"}', now() + $4 * interval '1 s', $5)`,
      [ids[n], n === 3 ? other : id, kind, n, kind === 'retention' ? null : `<${kind}>`],
    );
  }
  await sql(
    `insert into outbox (id, message_id, alert_id, recipients, subject, body, headers, created_at, next_try_at, sent_at)
     values ($1, '<stopped>', $2, '{a@example.com,b@example.com}', '', '', '{}', now(), now(), '2026-11-23T10:00:00Z')`,
    [newId(), ids[1]],
  );
  expect((await walk('/v1/alerts?')).map((one) => one.id)).toEqual(ids.toReversed());
  const mine = await walk(`/v1/consumers/${id}/alerts?`);
  expect(mine.map((one) => one.id)).toEqual([ids[2], ids[1], ids[0]]);
  const unsent = {
    consumers: null,
    recipients: null,
    to: null,
    sent_at: null,
    given_up_at: null,
    dropped_at: null,
    dropped_because: null,
    last_error: null,
  };
  expect(mine[1]).toEqual({
    id: ids[1],
    consumer_id: id,
    source_id: null,
    kind: 'stopped',
    detail: { reason: 'because' },
    at: expect.any(String),
    mail: {
      ...unsent,
      message_id: '<stopped>',
      recipients: 2,
      to: ['a@example.com', 'b@example.com'],
      sent_at: '2026-11-23T10:00:00Z',
    },
  });
  expect(mine[0]).toMatchObject({ kind: 'retention', mail: null });
  expect(mine[2]).toMatchObject({ mail: { ...unsent, message_id: '<warning>' } });
  const found = async (query: string) => (await walk(`/v1/alerts?${query}&`)).map((one) => one.id);
  expect(await found('kind=recovered')).toEqual([ids[3]]);
  expect(await found(`consumer_id=${id}&kind=warning`)).toEqual([ids[0]]);
  expect(await found(`consumer_id=${newId()}`)).toEqual([]);
  await get(`/v1/consumers/${newId()}/alerts`, 404);
  await get('/v1/alerts?kind=other', 400);
});

test('dead letters are grouped by what failed, and found by record, by code and by status', async () => {
  const { id } = await opened.create();
  const letters = (
    [
      ['r1', 'HTTP_4XX', 422],
      ['r1', 'HTTP_4XX', 422],
      ['r2', 'HTTP_4XX', 422],
      ['r2', 'HTTP_4XX', 400],
      ['r3', 'TIMEOUT', null],
    ] as const
  ).map((one, n) => [newId(), n, ...one] as const);
  for (const [letter, position, record, code, status] of letters) {
    await sql(
      `insert into dead_letters (id, consumer_id, position, message_id, sync_id, collection_id, upstream_id,
                                 body, attempts, parked_at, died_at, last_failure)
       values ($1, $2, $3::int, 'm', 's', 'a:b', $4, '{}', 9, now(), now() + $3::int * interval '1 s', $5)`,
      [
        letter,
        id,
        position,
        record,
        JSON.stringify({ code, status, detail: '', at: '', response_head: null }),
      ],
    );
  }
  const base = `/v1/consumers/${id}/dead-letters`;
  const { data } = await get(`${base}/groups`);
  const at = expect.any(String);
  expect(data).toEqual([
    {
      code: 'HTTP_4XX',
      status: 422,
      count: 3,
      records: 2,
      newest_at: at,
      example_id: letters[2]![0],
    },
    {
      code: 'HTTP_4XX',
      status: 400,
      count: 1,
      records: 1,
      newest_at: at,
      example_id: letters[3]![0],
    },
    {
      code: 'TIMEOUT',
      status: null,
      count: 1,
      records: 1,
      newest_at: at,
      example_id: letters[4]![0],
    },
  ]);
  const numbers = async (query: string) =>
    (await walk(`${base}?${query}`)).map((one) =>
      letters.findIndex(([letter]) => letter === one.id),
    );
  expect(await numbers('')).toEqual([4, 3, 2, 1, 0]);
  expect(await numbers('upstream_id=r2&')).toEqual([3, 2]);
  expect(await numbers('code=HTTP_4XX&')).toEqual([3, 2, 1, 0]);
  expect(await numbers('code=HTTP_4XX&upstream_id=r1&')).toEqual([1, 0]);
  expect(await numbers('status=422&')).toEqual([2, 1, 0]);
  expect(await numbers('status=400&code=HTTP_4XX&')).toEqual([3]);
  expect(await numbers('status=422&upstream_id=r2&')).toEqual([2]);
  expect(await numbers('status=none&')).toEqual([4]);
  expect(await numbers('status=none&code=HTTP_4XX&')).toEqual([]);
  expect(await numbers('status=599&')).toEqual([]);
  await get(`/v1/consumers/${newId()}/dead-letters/groups`, 404);
});

test('a status that dead letters can not have is refused with what is allowed', async () => {
  const { id } = await opened.create();
  for (const status of ['', '99', '600', '4xx', 'None', '422,400']) {
    const problem = await get(`/v1/consumers/${id}/dead-letters?status=${status}`, 400);
    expect(problem).toMatchObject({
      code: 'invalid_query',
      detail: '/status must be an HTTP status from 100 to 599, or none',
    });
  }
});

test('a preview counts the newest entries that a filter lets through, and shows the newest of them as they are', async () => {
  const big =
    '{"records":[{"sync_id":"p","collection_id":"x:y","upstream_id":"1","data":{"n":9007199254740993}}]}';
  const request = (body: object) => opened.api.request('POST', '/v1/consumers/preview', body);
  await opened.append('other', 20);
  await opened.append('mine', 12);
  await opened.append('other', 3);
  const mine = { stream: 'events', syncs: ['mine'] };
  const { body } = await request(mine);
  expect(body).toMatchObject({ scanned: 35, matched: 12 });
  const { body: events } = await opened.api.request('GET', '/v1/events?sync_id=mine');
  expect(body.sample).toEqual(events.events.toReversed().slice(0, 10));
  expect((await request({ ...mine, last: 5 })).body).toMatchObject({ scanned: 5, matched: 2 });
  expect((await request({ ...mine, syncs: [] })).body).toMatchObject({ matched: 0, sample: [] });
  await opened.api.request('POST', '/v1/records', big);
  const text = await opened.api.app.request('/v1/consumers/preview', {
    method: 'POST',
    headers: { authorization: 'Bearer test-key-0123456789', 'content-type': 'application/json' },
    body: '{"stream":"records","collections":["x:y"]}',
  });
  expect(await text.text()).toContain('"data":{"n":9007199254740993}');
  for (const wrong of [
    { ...mine, last: 10_001 },
    { ...mine, stream: 'records', event_types: ['created'] },
    {},
  ]) {
    expect((await request(wrong)).status).toBe(422);
  }
});

test('in a minute that no process sampled, the lag is the last one that was sampled, not 0', async () => {
  const { id } = await opened.create();
  const minute = Math.floor(Date.now() / 60_000) * 60_000 - 600_000;
  const at = (minutes: number): string => new Date(minute + minutes * 60_000).toISOString();
  for (const minutes of [0, 1, 4, 5, 6])
    await sql('insert into lag_minutes values ($1)', [at(minutes)]);
  await sql('insert into lag_samples values ($1, $2, 45), ($1, $3, 45), ($1, $4, 44)', [
    id,
    at(0),
    at(1),
    at(4),
  ]);
  const { data } = await get(`/v1/consumers/${id}/metrics?since=${at(-1)}`);
  // Between 1 and 4, and after 6, nothing was sampled; at 5 and 6 nothing waited.
  const lags = data.map(({ lag }: { lag: number }) => lag);
  expect(lags.slice(0, 9)).toEqual([0, 45, 45, 45, 45, 44, 0, 0, 0]);
  await sql('truncate lag_minutes, lag_samples');
});

test('metrics count each attempt in the step in which it ended, with percentiles and the lag at that time', async () => {
  const { id } = await opened.create();
  const minute = Math.floor(Date.now() / 60_000) * 60_000 - 600_000;
  const at = (ms: number): string => new Date(minute + ms).toISOString();
  await sql(
    `insert into attempt_batches values ($1, $2, '{1,2,3}', '{1,1,1}', '{10,20,30}', '{200,200,200}', 3, 1, 3, 1),
                                        ($1, $3, '{4}', '{1}', '{40}', '{200}', 1, 4, 4, 1),
                                        ($1, $4, '{5}', '{1}', '{7}', '{200}', 1, 5, 5, 1)`,
    [id, at(1_000), at(59_000), at(61_000)],
  );
  await sql(
    `insert into attempts (id, consumer_id, position, message_id, attempt, started_at, duration_ms, outcome)
     values ($1, $3, 6, 'm', 1, $4, 5000, 'failed'), ($2, $3, 6, 'm', 2, $5, 9, 'delivered')`,
    [newId(), newId(), id, at(58_000), at(62_000)], // the first ends in the next minute
  );
  await sql('insert into lag_samples values ($1, $2, 42), ($1, $3, 7)', [id, at(0), at(120_000)]);
  const { step, data } = await get(`/v1/consumers/${id}/metrics?since=15m`);
  expect(step).toBe(60);
  expect(data).toHaveLength(16);
  const first = data.findIndex((one: { at: string }) => Date.parse(one.at) === minute);
  const nothing = { delivered: 0, failed: 0, p50_ms: null, p95_ms: null, p99_ms: null };
  expect(data.slice(first - 1, first + 4)).toEqual([
    { ...nothing, at: expect.any(String), lag: 0 },
    expect.objectContaining({ delivered: 4, failed: 0, p50_ms: 25, lag: 42 }),
    expect.objectContaining({ delivered: 2, failed: 1, p50_ms: 9, lag: 0 }),
    { ...nothing, at: expect.any(String), lag: 7 },
    { ...nothing, at: expect.any(String), lag: 0 },
  ]);
  expect(data[first].p99_ms).toBeCloseTo(39.7);
  const hour = await get(`/v1/consumers/${id}/metrics?since=${at(0)}&step=3600`);
  const total = hour.data.reduce(
    (sum: number, one: { delivered: number; failed: number }) => sum + one.delivered + one.failed,
    0,
  );
  expect(total).toBe(7);
});

test('many attempts are all counted, and the answer times of each step are those of a sample of its own', async () => {
  const { id } = await opened.create();
  const minute = Math.floor(Date.now() / 60_000) * 60_000 - 600_000;
  const at = (ms: number): string => new Date(minute + ms).toISOString();
  await sql(
    `insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status, entries)
     select $1, $2::timestamptz + n * interval '1.000001 s', array_fill(1::bigint, array[1000]),
            array_fill(1::bigint, array[1000]), array_fill(10, array[1000]), array_fill(200::smallint, array[1000]), 1000
       from generate_series(1, 20) n`,
    [id, at(0)],
  );
  await sql(
    `insert into attempts (id, consumer_id, position, message_id, attempt, started_at, duration_ms, outcome)
     select gen_random_uuid(), $1, n, 'm', 1, $2::timestamptz + n * interval '1 ms', 30, 'failed'
       from generate_series(1, 20000) n`,
    [id, at(30_000)],
  );
  await sql(
    `insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status, entries)
     values ($1, $2, '{1,2}', '{1,1}', '{7,7}', '{200,200}', 2)`,
    [id, at(60_001)],
  );
  const { data } = await get(`/v1/consumers/${id}/metrics?since=15m`);
  const first = data.findIndex((one: { at: string }) => Date.parse(one.at) === minute);
  expect(data[first]).toMatchObject({ delivered: 20_000, failed: 20_000, p95_ms: 30 });
  expect(data[first + 1]).toMatchObject({ delivered: 2, failed: 0, p50_ms: 7, p99_ms: 7 });
});

test('a series that is too long, or spans no time, is refused with the bounds that are allowed', async () => {
  const { id } = await opened.create();
  const long = await get(`/v1/consumers/${id}/metrics?since=7d&step=1m`, 422);
  expect(long).toMatchObject({ code: 'too_many_points', detail: expect.stringContaining('500') });
  expect((await get(`/v1/consumers/${id}/metrics?since=7d&step=1h`)).data).toHaveLength(169);
  await get(`/v1/consumers/${id}/metrics?since=2100-01-01T00:00:00Z`, 422);
  for (const query of ['step=0', 'step=-1', 'step=x', 'since=soon']) {
    await get(`/v1/consumers/${id}/metrics?${query}`, 400);
  }
  await get(`/v1/consumers/${newId()}/metrics`, 404);
});

test('the lag of consumers that have something to do is noted once a minute', async () => {
  const { id } = await opened.create();
  const { id: idle } = await opened.create();
  const { id: narrow } = await opened.create({ syncs: ['s2'] });
  const end = await opened.append('s1', 5);
  await sql(`update tails set position = $1 where stream = 'events'`, [end]);
  await opened.setCursor(idle, 'idle = true, indexed_epoch = (select epoch from leader)');
  await opened.setCursor(id, `idle = false, position = ${end - 3}, ahead = '{${end}}'`);
  await opened.setCursor(narrow, `idle = false, position = ${end - 3}`);
  await sampleLag(opened.api.db);
  await sampleLag(opened.api.db);
  const { rows } = await opened.api.db.query<{ consumer_id: string; entries: number }>({
    text: 'select consumer_id, entries from lag_samples where consumer_id = any ($1)',
    values: [[id, idle, narrow]],
  });
  // Two lines when the minute has ended between the two.
  expect(new Set(rows.map((row) => JSON.stringify(row)))).toEqual(
    new Set(
      [id, narrow].map((one) => JSON.stringify({ consumer_id: one, entries: one === id ? 2 : 0 })),
    ),
  );
  const { data } = await get(`/v1/consumers/${id}/metrics`);
  expect(data.at(-1).lag).toBe(3 - 1);
});

test('consumers are found by part of their name, their id or the name of their target', async () => {
  const { body: target } = await opened.api.request('POST', '/v1/targets', {
    name: 'Billing 100%',
    base_url: 'https://example.com/hooks',
  });
  const { id } = await opened.create({ name: 'Invoices', target_id: target.id });
  await opened.create({ name: 'orders' });
  for (const q of ['voice', 'INVOICES', 'billing', '100%', id, id.slice(-12).toUpperCase()]) {
    const found = await walk(`/v1/consumers?q=${encodeURIComponent(q)}&`);
    expect({ q, found: found.map((one) => one.id) }).toEqual({ q, found: [id] });
  }
  expect(await walk('/v1/consumers?q=%25%25&')).toEqual([]);
});

test('the list of a consumer has all its attempts: the failures of an entry, and its delivery after them', async () => {
  await using world = await openWorld();
  let requests = 0;
  await using receiver = await openReceiver((_one, response) => {
    requests += 1;
    response.writeHead(requests === 2 ? 500 : 200).end('so');
  });
  const id = await world.consumer(await world.target(receiver.url));
  await world.append.events(someEvents(3));
  const attempts = await until(async () => {
    const { body } = await world.api.request('GET', `/v1/consumers/${id}/attempts`);
    return body.data.filter((one: { outcome: string }) => one.outcome === 'delivered').length === 3
      ? body.data
      : null;
  });
  expect(attempts).toHaveLength(4);
  const failed = attempts.find((one: { outcome: string }) => one.outcome === 'failed');
  expect(failed).toMatchObject({ status: 500, error_code: 'HTTP_5XX', attempt: 1 });
  const { body } = await world.api.request('GET', `/v1/attempts?event_id=${failed.event_id}`);
  expect(body.data.map((one: { attempt: number }) => one.attempt)).toEqual([2, 1]);
  for (const one of attempts) expect(one.message_id).toBe(one.event_id);
  const { data } = (await world.api.request('GET', `/v1/consumers/${id}/metrics?since=5m`)).body;
  const sum = (of: string) =>
    data.reduce((total: number, one: Record<string, number>) => total + (one[of] ?? 0), 0);
  expect([sum('delivered'), sum('failed')]).toEqual([3, 1]);
});
