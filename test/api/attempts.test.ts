import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { createAttempts } from '../../src/attempts/attempts.ts';
import { createAttemptWaits } from '../../src/attempts/attemptWaits.ts';
import type { Sql } from '../../src/db/db.ts';
import { emptyBatch } from '../../src/progress/attemptLog.ts';
import { createProgress, type Progress } from '../../src/progress/progress.ts';
import type { SenderOutcomes } from '../../src/progress/senderOutcomes.ts';
import type { Attempt } from '../../src/schema/attempt.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { until } from '../support/poll.ts';

let opened: ConsumersApi;
let progress: Progress;
beforeAll(async () => {
  opened = await openConsumersApi();
  progress = createProgress(opened.api.db);
});
afterAll(() => opened[Symbol.asyncDispose]());

/** Where no test appends anything. */
const FAR = 1_000_000;
const ascending = (a: number, b: number): number => a - b;

interface Sender {
  id: string;
  commit(outcomes: Partial<SenderOutcomes>): Promise<void>;
}

/** A consumer and the commits of its sender. */
async function sender(fields: object = {}): Promise<Sender> {
  const { id } = await opened.create(fields);
  const lease = await progress.acquire(id, 'here', 60_000);
  return {
    id,
    commit: async (outcomes) => {
      const none = { position: 0, ahead: [], batch: emptyBatch(), attempts: [], parked: null };
      const all = { ...none, ...outcomes, consumerId: id, epoch: lease!.epoch };
      expect((await progress.commit([all], 60_000)).size).toBe(1);
    },
  };
}

function failure(position: number, startedAt: number, more: object = {}) {
  return {
    position,
    messageId: `m${position}`,
    eventId: `m${position}`,
    attempt: 1,
    startedAt,
    durationMs: 12,
    outcome: 'failed' as const,
    status: 503,
    errorCode: 'HTTP_5XX' as const,
    responseHead: 'busy',
    nextAttemptAt: startedAt + 5_000,
    trace: null,
    ...more,
  };
}

function successes(positions: number[], startedAt: (index: number) => number, status = 200) {
  return {
    positions,
    startedAt: positions.map((_, index) => startedAt(index)),
    durationMs: positions.map(() => 7),
    status: positions.map(() => status),
  };
}

async function list(id: string, query = ''): Promise<{ data: Attempt[]; next_cursor: string }> {
  const { status, body } = await opened.api.request('GET', `/v1/consumers/${id}/attempts?${query}`);
  expect({ query, status }).toEqual({ query, status: 200 });
  return body;
}

async function walk(id: string, query: string): Promise<Attempt[]> {
  const all: Attempt[] = [];
  for (let cursor = ''; ;) {
    const { data, next_cursor } = await list(id, `${query}${cursor}`);
    all.push(...data);
    if (next_cursor === null) return all;
    cursor = `&cursor=${next_cursor}`;
  }
}

test('rows and batches make one list, newest first, and its cursor passes each attempt once', async () => {
  const one = await sender();
  const now = Date.now();
  let count = 0;
  for (let commit = 0; commit < 90; commit += 1) {
    const size = commit % 7;
    const at = now - (90 - commit) * 40;
    const batch = successes(
      Array.from({ length: size }, (_, index) => FAR + commit * 10 + index),
      (index) => at - ((index * 37) % 90), // slow ones end in later commits than quick ones
    );
    const attempts = commit % 5 === 0 ? [failure(FAR + commit * 10 + 9, at - 20)] : [];
    count += size + attempts.length;
    await one.commit({ batch, attempts });
  }
  const whole = await walk(one.id, 'limit=1000');
  expect(whole).toHaveLength(count);
  expect(new Set(whole.map(({ id }) => id)).size).toBe(count);
  const starts = whole.map(({ started_at }) => Date.parse(started_at));
  expect(starts).toEqual(starts.toSorted((a, b) => b - a));
  for (const limit of [1, 7, 64]) expect(await walk(one.id, `limit=${limit}`)).toEqual(whole);
  const middle = whole[100]!.started_at;
  const later = await walk(one.id, `limit=50&since=${middle}`);
  const earlier = await walk(one.id, `limit=50&until=${middle}`);
  expect([...later, ...earlier]).toEqual(whole);
});

test('attempts of the same moment are each listed once, however small the page', async () => {
  const one = await sender();
  const at = Date.now() - 1_000;
  await one.commit({ batch: successes([FAR + 1, FAR + 2, FAR + 3, FAR + 4, FAR + 5], () => at) });
  await one.commit({
    batch: successes([FAR + 6, FAR + 7], () => at),
    attempts: [failure(FAR + 8, at)],
  });
  const walked = await walk(one.id, 'limit=2');
  expect(walked.map(({ position }) => position - FAR).toSorted(ascending)).toEqual([
    1, 2, 3, 4, 5, 6, 7, 8,
  ]);
});

test('an attempt that Postgres recorded long after its start is listed with its true start', async () => {
  const one = await sender();
  const now = Date.now();
  await one.commit({ batch: successes([FAR + 1], () => now - 600_000) });
  await one.commit({
    batch: successes([FAR + 2], () => now - 120_000),
    attempts: [failure(FAR + 3, now)],
  });
  const walked = await walk(one.id, 'limit=1');
  expect(walked.map(({ position }) => position - FAR).toSorted(ascending)).toEqual([1, 2, 3]);
  const late = walked.find(({ position }) => position === FAR + 1);
  expect(late?.started_at).toBe(new Date(now - 600_000).toISOString());
});

test('successes that came with one request have its id and size, beside those that came alone and other consumers', async () => {
  const [one, other] = await Promise.all([sender(), sender()]);
  const at = Date.now() - 50;
  const places = [1, 2, 3, 4, 5, 6].map((n) => FAR + 100 + n);
  const requests = [
    { from: 1, count: 2, size: 3, id: 'batch_a' }, // its third was tried again, so that it has a row
    { from: 4, count: 2, size: 2, id: 'batch_b' },
  ];
  await one.commit({
    batch: { ...successes(places, (index) => at - index), requests },
    attempts: [failure(FAR + 107, at - 9, { messageId: 'batch_a', batchSize: 3, attempt: 2 })],
  });
  await other.commit({ batch: successes([FAR + 1], () => at) });
  const { data } = await list(one.id);
  expect(data.map((made) => [made.position - FAR - 100, made.batch_size, made.message_id])).toEqual(
    [
      [1, 1, `position:${FAR + 101}`],
      [2, 3, 'batch_a'],
      [3, 3, 'batch_a'],
      [4, 1, `position:${FAR + 104}`],
      [5, 2, 'batch_b'],
      [6, 2, 'batch_b'],
      [7, 3, 'batch_a'],
    ],
  );
  expect(new Set(data.map(({ id }) => id)).size).toBe(7);
  expect((await list(other.id)).data).toMatchObject([{ batch_size: 1 }]);
});

test('an attempt is answered with all its fields, and those without a value are null', async () => {
  const one = await sender();
  const at = Date.now();
  const position = await opened.append('s1');
  const { body } = await opened.api.request('GET', '/v1/events?limit=1000');
  const event = body.events.at(-1);
  const { event_id } = event;
  await one.commit({
    batch: successes([position], () => at, 204),
    attempts: [failure(position - 1, at - 1)],
  });
  const { data } = await list(one.id);
  expect(data).toEqual([
    {
      id: expect.stringMatching(
        /^[\da-f]{8}-[\da-f]{4}-8[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/u,
      ),
      consumer_id: one.id,
      position,
      message_id: event_id,
      batch_size: 1,
      event_id,
      event: 'created',
      sync_id: 's1',
      collection_id: 'a:b',
      upstream_id: event.upstream_id,
      trace_id: null,
      producer_span_id: null,
      attempt: 1,
      started_at: new Date(at).toISOString(),
      duration_ms: 7,
      outcome: 'delivered',
      status: 204,
      error_code: null,
      response_head: null,
      next_attempt_at: null,
    },
    expect.objectContaining({
      message_id: `m${position - 1}`,
      batch_size: 1,
      outcome: 'failed',
      status: 503,
      error_code: 'HTTP_5XX',
      response_head: 'busy',
      next_attempt_at: expect.any(String),
    }),
  ]);
});

test('an attempt at a record that has changed since is kept, and identified by its position', async () => {
  const one = await sender({ stream: 'records' });
  const record = { sync_id: 's', collection_id: 'a:b', upstream_id: 'r1', data: 1 };
  const put = (data: number) =>
    opened.api.request('POST', '/v1/records', { records: [{ ...record, data }] });
  const { position } = (await put(1)).body;
  await one.commit({ batch: successes([position], () => Date.now()) });
  const [before] = (await list(one.id)).data;
  expect(before).toMatchObject({
    event_id: null,
    message_id: expect.stringMatching(/^[\da-f-]{36}$/u),
    event: null,
    sync_id: 's',
    collection_id: 'a:b',
    upstream_id: 'r1',
  });
  expect((await list(one.id, 'upstream_id=r1')).data).toHaveLength(1);
  await put(2);
  const [after] = (await list(one.id)).data;
  const gone = { sync_id: null, collection_id: null, upstream_id: null };
  expect(after).toEqual({ ...before, ...gone, message_id: `position:${position}` });
});

test('a page looks up the entries of all its attempts with one query, which reads no body', async () => {
  const one = await sender();
  const last = await opened.append('named', 3);
  const at = Date.now();
  await one.commit({
    batch: successes([last - 1, last], (index) => at + index),
    attempts: [failure(last - 2, at - 5), failure(FAR, at - 9)],
  });
  const asked: string[] = [];
  const sql: Sql = {
    query: (query) => {
      asked.push(typeof query === 'string' ? query : query.text);
      return opened.api.db.query(query);
    },
  };
  const reader = { id: one.id, stream: 'events' } as const;
  const page = await createAttempts(sql).list(reader, { limit: 100, after: null });
  expect(page.data.map((made) => [made.position, made.sync_id, made.event])).toEqual([
    [last, 'named', 'created'],
    [last - 1, 'named', 'created'],
    [last - 2, 'named', 'created'],
    [FAR, null, null],
  ]);
  const ofEntries = asked.filter((text) => /from events/u.test(text));
  expect(ofEntries).toHaveLength(1);
  expect(ofEntries[0]).not.toMatch(/\bdata\b|\bchanges\b|\*/u);
});

test('each filter passes the attempts that it describes', async () => {
  const one = await sender();
  const at = Date.now();
  const last = await opened.append('s1', 3);
  const { body } = await opened.api.request('GET', `/v1/events?limit=1000`);
  const [, second, third] = body.events.slice(-3);
  await one.commit({
    batch: successes([last - 1, last], (index) => at + index),
    attempts: [
      failure(last - 1, at - 500, { eventId: second.event_id, status: null, errorCode: 'TIMEOUT' }),
      failure(last - 2, at - 400),
      failure(last - 2, at - 300, { outcome: 'delivered', attempt: 2, status: 201 }),
    ],
  });
  const found = async (query: string) =>
    (await list(one.id, query)).data.map(({ position, outcome }) => [last - position, outcome]);
  expect(await found('outcome=failed')).toEqual([
    [2, 'failed'],
    [1, 'failed'],
  ]);
  expect(await found('status=503')).toEqual([[2, 'failed']]);
  expect(await found('status=201')).toEqual([[2, 'delivered']]);
  expect(await found('status=200&outcome=failed')).toEqual([]);
  expect(await found(`event_id=${second.event_id}`)).toEqual([
    [1, 'delivered'],
    [1, 'failed'],
  ]);
  expect(await found(`event_id=${second.event_id}&outcome=failed`)).toEqual([[1, 'failed']]);
  expect(await found('event_id=nobody')).toEqual([]);
  expect(await found(`upstream_id=${third.upstream_id}`)).toEqual([[0, 'delivered']]);
  expect(await found('since=1h&limit=1')).toEqual([[0, 'delivered']]);
  expect(await found('until=1h')).toEqual([]);
});

test('the attempts at one event are found across consumers, page by page', async () => {
  const position = await opened.append('s1');
  const { body } = await opened.api.request('GET', '/v1/events?limit=1000');
  const { event_id } = body.events.at(-1);
  const at = Date.now();
  const ids: string[] = [];
  for (let n = 0; n < 5; n += 1) {
    const one = await sender();
    ids.push(one.id);
    // Two at the same moment in two consumers.
    const batch = successes([position - 1, position, position + 1], () => at + (n >> 1));
    const attempts = n === 0 ? [failure(position, at - 9, { eventId: event_id })] : [];
    await one.commit({ batch, attempts });
  }
  const other = await sender({ stream: 'records' });
  await other.commit({ batch: successes([position], () => at) });
  const walked: Attempt[] = [];
  for (let cursor = ''; ;) {
    const path = `/v1/attempts?event_id=${event_id}&limit=1${cursor}`;
    const answer = await opened.api.request('GET', path);
    walked.push(...answer.body.data);
    if (answer.body.next_cursor === null) break;
    cursor = `&cursor=${answer.body.next_cursor}`;
  }
  expect(walked.map((one) => one.outcome)).toEqual([...Array(5).fill('delivered'), 'failed']);
  expect(new Set(walked.map(({ consumer_id }) => consumer_id))).toEqual(new Set(ids));
  expect(walked.every((one) => one.event_id === event_id)).toBe(true);
  expect((await opened.api.request('GET', '/v1/attempts')).status).toBe(400);
});

test('a long search stops after 10,000 attempts and says where it continues', async () => {
  const one = await sender();
  const now = Date.now();
  const all = Array.from({ length: 12_000 }, (_, index) => index + 1);
  await one.commit({ batch: successes([12_001], () => now - 60_000, 299) });
  for (let part = 0; part < 12; part += 1) {
    await one.commit({
      batch: successes(
        all.slice(part * 1_000, (part + 1) * 1_000),
        (index) => now - 30_000 + index,
      ),
    });
  }
  const first = await list(one.id, 'status=299');
  expect(first.data).toEqual([]);
  expect(first.next_cursor).not.toBeNull();
  const walked = await walk(one.id, 'status=299');
  expect(walked.map(({ position }) => position)).toEqual([12_001]);
});

test('a long poll answers once an attempt is recorded that passes its filters', async () => {
  const one = await sender();
  await one.commit({ attempts: [failure(1, Date.now() - 100)] });
  const seen = (await list(one.id, 'wait_for=20000')).data; // what is there is answered at once
  expect(seen).toHaveLength(1);
  const since = new Date(Date.parse(seen[0]!.started_at) + seen[0]!.duration_ms + 1).toISOString();
  const waiting = list(one.id, `since=${since}&outcome=delivered&wait_for=20000`);
  const empty = await list(one.id, `since=${since}&wait_for=50`);
  expect(empty).toEqual({ data: [], next_cursor: null });
  // It began before what has been seen, and ended after it.
  const slow = { ...successes([2], () => Date.parse(since) - 5_000), durationMs: [9_000] };
  await one.commit({ batch: slow });
  expect((await waiting).data.map(({ position }) => position)).toEqual([2]);
});

test('any number of waiting clients costs one query a second', async () => {
  const { db } = opened.api;
  let queries = 0;
  const query: typeof db.query = (...asked) => {
    queries += 1;
    return db.query(...asked);
  };
  const waits = createAttemptWaits({ sql: { ...db, query }, log: { warn: () => undefined } });
  const one = await sender();
  const { signal } = new AbortController();
  const from = performance.now();
  const quiet = Array.from({ length: 500 }, () =>
    waits.recorded({ consumerId: randomUUID() }, 3_000, signal),
  );
  const watched = waits.recorded({ consumerId: one.id }, 60_000, signal);
  // Looks go back 2 s: its commit may take longer.
  await one.commit({ attempts: [failure(1, Date.now(), { durationMs: 9_000 })] });
  await watched;
  expect(performance.now() - from).toBeLessThan(10_000);
  await Promise.all(quiet);
  expect(queries).toBeGreaterThan(0);
  expect(queries).toBeLessThanOrEqual(Math.ceil((performance.now() - from) / 1_000));
  const [before, last] = [queries, waits.recorded({ position: 1 }, 60_000, signal)];
  await until(() => queries > before);
  waits.close();
  await last;
  expect(waits.closed).toBe(true);
});
