import { afterAll, beforeAll, expect, test } from 'vitest';

import { countQuery, listQuery, rankedQuery } from '../../src/consumers/consumerQuery.ts';
import { beginLaneLease } from '../../src/progress/laneLeases.ts';
import { cursorOf } from '../../src/streams/cursor.ts';
import { NOTHING_WAITS } from '../../src/streams/waiting.ts';
import { openApp, type TestApp } from '../support/app.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { createDatabase } from '../support/database.ts';
import { manyConsumers, manyTargets, plansOf } from '../support/plans.ts';

let opened: ConsumersApi;
let api: TestApp;
beforeAll(async () => {
  opened = await openConsumersApi();
  ({ api } = opened);
});
afterAll(() => opened[Symbol.asyncDispose]());

test('the lag of one consumer counts what matches and is not settled', async () => {
  const start = await opened.append('s1');
  const consumer = await opened.create({
    syncs: ['mine'],
    start: { cursor: cursorOf('events', start) },
  });
  expect((await opened.read(consumer.id)).lag).toEqual(NOTHING_WAITS);
  await opened.append('other', 5);
  expect((await opened.read(consumer.id)).lag.entries).toBe(0);
  const mine = await opened.append('mine', 4);
  const { lag, position } = await opened.read(consumer.id);
  expect(position).toBe(start);
  expect(lag.entries).toBe(4);
  expect(lag.seconds).toBeGreaterThan(0);
  expect(lag.seconds).toBeLessThan(60);
  await opened.setCursor(consumer.id, `ahead = '{${mine},${mine - 2}}'`);
  const part = await opened.read(consumer.id);
  expect(part.lag.entries).toBe(2);
  expect(part.filter_from).toBe(start);
  await opened.setCursor(consumer.id, `position = ${mine}, ahead = '{}'`);
  expect((await opened.read(consumer.id)).lag).toEqual(NOTHING_WAITS);
});

test('a list counts the entries that wait for each consumer as its own page does, whatever else is in the list', async () => {
  const start = await opened.append('s1');
  const place = { start: { cursor: cursorOf('events', start) } };
  const one = await opened.create({ ...place, syncs: ['mine'] });
  const all = await opened.create(place);
  const later = await opened.append('mine', 2);
  const late = await opened.create({ start: { cursor: cursorOf('events', later) } });
  const end = await opened.append('other', 3);
  await opened.setCursor(all.id, `ahead = '{${end}}'`);
  const ids = [one.id, all.id, late.id];
  const lags = async () => {
    const { body } = await api.request('GET', '/v1/consumers?limit=1000');
    return ids.map((id) => body.data.find((found: { id: string }) => found.id === id).lag);
  };
  const exact = true;
  expect(await lags()).toMatchObject([
    { entries: 2, exact },
    { entries: 4, exact },
    { entries: 3, exact },
  ]);
  const read = await Promise.all(ids.map(async (id) => (await opened.read(id)).lag.entries));
  expect(read).toEqual([2, 4, 3]);
  await opened.setCursor(one.id, `position = ${later}`);
  expect((await lags())[0]).toEqual(NOTHING_WAITS);
});

test('of more than 10,000 entries the newest are counted, and the others as an upper bound', async () => {
  const start = await opened.append('s1');
  const { id } = await opened.create({
    start: { cursor: cursorOf('events', start) },
    syncs: ['mine'],
  });
  await opened.append('other', 2_000);
  await opened.append('mine', 2);
  for (let part = 0; part < 2; part += 1) await opened.append('other', 4_000);
  expect((await opened.read(id)).lag).toMatchObject({ entries: 2 + 2, exact: false });
  await opened.append('other', 1_998);
  expect((await opened.read(id)).lag).toMatchObject({ entries: 2_000 + 2, exact: false });
  await opened.setCursor(id, `ahead = '{${start + 1}}'`);
  const { lag } = await opened.read(id);
  expect(lag).toMatchObject({ entries: 1_999 + 2, exact: false });
  expect(lag.seconds).toBeGreaterThan(0);
});

test('entries that an addition to the filter does not reach back to are counted as an upper bound', async () => {
  const start = await opened.append('s1');
  const { id } = await opened.create({
    start: { cursor: cursorOf('events', start) },
    syncs: ['mine'],
  });
  const end = await opened.append('other', 3);
  await api.db.query({
    text: `
      with newer as (update consumers set filter_version = 2 where id = $1)
      insert into filter_versions (consumer_id, version, filter_from, syncs, collections, event_types)
      values ($1, 2, $2, '{*}', '{*}', '{*}')`,
    values: [id, end],
  });
  expect((await opened.read(id)).lag).toMatchObject({ entries: 3, exact: false });
});

test('the position of an idle consumer is that of the leader, but before any entry that waits for it', async () => {
  const { id, position } = await opened.create();
  const end = await opened.append('s1', 5);
  await api.db.query(`update tails set position = ${end - 1} where stream = 'events'`);
  expect((await opened.read(id)).position).toBe(position);
  await opened.setCursor(id, `indexed_epoch = (select epoch from leader)`);
  expect(await opened.read(id)).toMatchObject({ position: end - 1, lag: { entries: 1 } });
  await api.db.query(`update tails set position = ${end} where stream = 'events'`);
  const caughtUp = await opened.read(id);
  expect(caughtUp).toMatchObject({ position: end, lag: { entries: 0, seconds: 0 } });
  expect(caughtUp.cursor).toBe(cursorOf('events', end));
  await opened.setCursor(id, `wanted = ${end - 2}`);
  expect((await opened.read(id)).position).toBe(end - 3);
  await opened.setCursor(id, 'wanted = null, indexed_epoch = -1');
  expect((await opened.read(id)).position).toBe(position);
});

test('a new filter is shown once it is in force, not while a sender still uses the older one', async () => {
  const { id } = await opened.create({ collections: ['a:old'] });
  await api.db.query({
    text: `
      with newer as (update consumers set filter_version = 2 where id = $1)
      insert into filter_versions (consumer_id, version, filter_from, syncs, collections, event_types)
      values ($1, 2, null, '{*}', '{a:new}', '{*}')`,
    values: [id],
  });
  expect(await opened.read(id)).toMatchObject({ collections: ['a:old'], filter_version: 1 });
  await api.db.query({
    text: 'update filter_versions set filter_from = 7 where consumer_id = $1 and version = 2',
    values: [id],
  });
  const taken = { collections: ['a:new'], filter_version: 2, filter_from: 7 };
  expect(await opened.read(id)).toMatchObject(taken);
});

test('a blocked consumer says why, since when and when it tries again', async () => {
  const { id } = await opened.create();
  await api.db.query({
    text: `
      update consumers set status = 'blocked', status_reason = 'HTTP_5XX: HTTP 503',
                           failing_since = '2026-11-23T10:00:00.25Z'
       where id = $1`,
    values: [id],
  });
  const failure = `{"code":"CONNECTION_REFUSED","status":null,"detail":"x","at":"2026-11-23T10:30:00Z","since":"2026-11-23T10:20:00Z"}`;
  await opened.setCursor(
    id,
    `head = 1, attempt = 8, next_attempt_at = '2026-11-23T11:00:00Z', last_failure = '${failure}'`,
  );
  const consumer = await opened.read(id);
  expect(consumer).toMatchObject({
    status: 'blocked',
    status_reason: 'CONNECTION_REFUSED: x', // of the newest failure, not the first one
    last_failure: {
      code: 'CONNECTION_REFUSED',
      status: null,
      detail: 'x',
      at: '2026-11-23T10:30:00Z',
      since: '2026-11-23T10:20:00Z',
      late: null,
    },
    failing_since: '2026-11-23T10:00:00.25Z',
    next_attempt_at: '2026-11-23T11:00:00Z',
    health: { status: 'warn' },
  });
  expect(consumer.health.notes[0]).toMatch(
    /^Refused connections since .*10:20 UTC, failing since .*10:00 UTC; next attempt .* \(attempt 9\); .* (?:is|are) waiting$/u,
  );
  const late = { ...JSON.parse(failure), late: { status: 200, after_ms: 16_400, target: 't/1' } };
  await opened.setCursor(id, `last_failure = '${JSON.stringify(late)}'`);
  expect((await opened.read(id)).last_failure.late).toEqual({ status: 200, after_ms: 16_400 });
  await api.db.query({
    text: `update consumers set status = 'paused' where id = $1`,
    values: [id],
  });
  expect((await opened.read(id)).next_attempt_at).toBeNull();
});

test('a consumer shows who may send for it while the lease lasts: a lane of visits, a drain or a deliver', async () => {
  const { id } = await opened.create();
  const lease = `lease_until = clock_timestamp() + interval '1 min'`;
  const until = { lease_until: expect.stringMatching(/Z$/u) };
  await beginLaneLease(api.db, { id: 'host/1/ab/lane-3.7', region: 'us-west-2' }, 8_000);
  await opened.setCursor(id, `holder = 'host/1/ab/lane-3.7', visited = true, lease_until = null`);
  const visit = { activity: 'visit', process: 'host/1/ab', lane: 3, ...until };
  expect((await opened.read(id)).sender).toEqual(visit);
  await api.db.query(`update visit_lanes set lease_until = clock_timestamp() - interval '1 ms'`);
  expect((await opened.read(id)).sender).toBeNull();
  await opened.setCursor(id, `holder = 'host/1/ab', visited = false, ${lease}`);
  const own = { process: 'host/1/ab', lane: null, ...until };
  expect((await opened.read(id)).sender).toEqual({ activity: 'drain', ...own });
  const { body } = await api.request('GET', '/v1/consumers');
  expect(body.data.find((one: { id: string }) => one.id === id).sender.activity).toBe('drain');
  await api.db.query({
    text: `update consumers set status = 'blocked' where id = $1`,
    values: [id],
  });
  expect((await opened.read(id)).sender).toEqual({ activity: 'deliver', ...own });
  await opened.setCursor(id, `lease_until = clock_timestamp() - interval '1 ms'`);
  expect((await opened.read(id)).sender).toBeNull();
  await opened.setCursor(id, `holder = null, lease_until = null`);
  expect((await opened.read(id)).sender).toBeNull();
});

test('a list is newest first and filtered, and its cursor passes every consumer once', async () => {
  const { body: target } = await api.request('POST', '/v1/targets', {
    name: 'another',
    base_url: 'https://example.com/hooks',
  });
  const mine: string[] = [];
  for (const name of ['Alpha_1', 'alphaX1', 'beta', 'gamma', 'delta']) {
    mine.unshift((await opened.create({ name, target_id: target.id })).id);
  }
  await api.db.query({
    text: `update consumers set status = 'stopped' where id = $1`,
    values: [mine[0]],
  });
  await api.db.query({
    text: 'update consumers set deleted_at = now() where id = $1',
    values: [mine[1]],
  });
  const ids = async (query: string): Promise<string[]> => {
    const { body } = await api.request('GET', `/v1/consumers?${query}`);
    return body.data.map((one: { id: string }) => one.id);
  };
  const byTarget = `target_id=${target.id}`;
  expect(await ids(byTarget)).toEqual([mine[0], ...mine.slice(2)]);
  expect(await ids(`${byTarget}&status=stopped`)).toEqual([mine[0]]);
  expect(await ids(`${byTarget}&q=ALPHA`)).toEqual([mine[3], mine[4]]);
  expect(await ids(`${byTarget}&q=alpha_`)).toEqual([mine[4]]);
  const walked: string[] = [];
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? '' : `&cursor=${cursor}`;
    const { body } = await api.request('GET', `/v1/consumers?limit=3${query}`);
    walked.push(...body.data.map((one: { id: string }) => one.id));
    cursor = body.next_cursor;
  } while (cursor !== null);
  const { rows } = await api.db.query<{ id: string }>(
    'select id from consumers where deleted_at is null order by created_at desc, id desc',
  );
  expect(walked).toEqual(rows.map(({ id }) => id));
});

test('a page of 20,000 consumers is read by index', async () => {
  await using many = await createDatabase();
  await using other = openApp(many.url);
  await other.db.query(`
    ${manyTargets(1)}
    ${manyConsumers(20_000, { target: '1', createdAt: `now() - n * interval '1 s'` })}
    analyze;
  `);
  const { rows: middle } = await other.db.query<{ at: string; id: string }>(
    'select created_at as at, id from consumers order by created_at desc offset 10000 limit 1',
  );
  for (const after of [null, middle[0]!]) {
    const plan = await plansOf(other.db, (sql) => sql.query(listQuery({ limit: 100, after })));
    expect(plan).toContain('consumers_newest');
    expect(plan).not.toMatch(/Seq Scan on (consumers|cursors|filter_versions)/u);
  }
  // By rank each consumer's row is looked at, and everything else only of a page.
  const asOf = new Date().toISOString();
  for (const by of ['lag', 'failed'] as const) {
    const plan = await plansOf(other.db, (sql) =>
      sql.query(rankedQuery({ by, limit: 100, after: null }, asOf)),
    );
    expect(plan).not.toMatch(/Seq Scan on (cursors|filter_versions)/u); // other tables are empty
  }
  const { rows } = await other.db.query(countQuery({ q: 'c1999' }));
  const { rows: matching } = await other.db.query(
    // c1999, c19990 to c19999, and ids that happen to have it
    `select count(*) as total from consumers where name like '%c1999%' or id::text like '%c1999%'`,
  );
  expect(rows).toEqual(matching);
});

test('changes are listed newest first, page by page', async () => {
  const first = await opened.create();
  const second = await opened.create();
  const { body } = await api.request('GET', '/v1/changes?limit=1');
  expect(body.data[0].consumer_id).toBe(second.id);
  const next = await api.request('GET', `/v1/changes?limit=1&cursor=${body.next_cursor}`);
  expect(next.body.data[0].consumer_id).toBe(first.id);
});
