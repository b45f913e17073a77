import { expect, test } from 'vitest';

import type { Sql } from '../../src/db/db.ts';
import { beginLaneLease, endLapsedLaneLeases } from '../../src/progress/laneLeases.ts';
import { claim } from '../../src/progress/leases.ts';
import { createProgress } from '../../src/progress/progress.ts';
import { compile } from '../../src/rules/filter.ts';
import { readConsumerFigures } from '../../src/telemetry/consumerFigures.ts';
import { isBusy } from '../../src/visits/busyness.ts';
import { together } from '../../src/visits/together.ts';
import { createLeaderStore } from '../../src/wake/leaderStore.ts';
import { createRecentKeys } from '../../src/wake/recentKeys.ts';
import { createRounds } from '../../src/wake/rounds.ts';
import { createUnclaimed } from '../../src/wake/unclaimed.ts';
import { openConsumersApi } from '../support/consumers.ts';

const LEASE = { holder: 'lane', region: 'us-west-2', limit: 10, number: 1 };

/** The lane is over, and another one has a lease. */
async function loseLane(db: Sql): Promise<void> {
  await db.query(
    `update visit_lanes set lease_until = clock_timestamp() - interval '5 seconds',
                            lapsed_at = clock_timestamp() - interval '4 seconds'`,
  );
  await endLapsedLaneLeases(db);
  await beginLaneLease(db, { id: 'next', region: 'us-west-2' }, 8_000);
}

/** A consumer that wants the entry at position 1. */
async function openWanting() {
  const opened = await openConsumersApi();
  const { db } = opened.api;
  const { id } = await opened.create({ start: 'end' });
  await db.query({
    text: 'update cursors set wanted = 1, idle = true where consumer_id = $1',
    values: [id],
  });
  await beginLaneLease(db, { id: 'lane', region: 'us-west-2' }, 8_000);
  return { db, id, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
}

test('a consumer that wants an entry is claimed once, with a lease; until that is over no drain takes the cursor', async () => {
  await using wanting = await openWanting();
  const { db, id } = wanting;
  const [first] = await claim(db.pipe, { ...LEASE, lost: false });
  expect(first).toMatchObject({ consumerId: id, lease: { epoch: 1, waitMs: 0 } });
  expect(await claim(db.pipe, { ...LEASE, lost: false })).toEqual([]);
  expect(await claim(db.pipe, { ...LEASE, lost: true })).toEqual([]);
  const progress = createProgress(db);
  expect(await progress.acquire(id, 'drain', 8_000)).toBeNull();
  await loseLane(db);
  expect(await claim(db.pipe, { ...LEASE, holder: 'next', lost: true })).toMatchObject([
    { lease: { epoch: 2 } },
  ]);
});

test('a claim says how long its consumer has wanted an entry, and metrics count the consumer until then', async () => {
  await using wanting = await openWanting();
  const { db } = wanting;
  const waiting = async () => (await readConsumerFigures(db, 0)).waiting;
  expect(await waiting()).toEqual({ visits: 1, seconds: 0 }); // as an older version has left it
  await db.query(`update cursors set wanted_at = clock_timestamp() - interval '3 s'`);
  expect(await waiting()).toEqual({ visits: 1, seconds: expect.closeTo(3, -1) });
  await db.query('update cursors set needs_drain = true');
  expect(await waiting()).toEqual({ visits: 0, seconds: 0 });
  await db.query('update cursors set needs_drain = false');
  const [first] = await claim(db.pipe, { ...LEASE, lost: false });
  expect(first?.waitedMs).toBeGreaterThanOrEqual(3_000);
  expect(await waiting()).toEqual({ visits: 0, seconds: 0 });
  await loseLane(db);
  const [lost] = await claim(db.pipe, { ...LEASE, holder: 'next', lost: true });
  expect(lost?.waitedMs).toBeNull(); // nobody wanted it to be claimed
});

test('a consumer that is created before existing entries says since when it has wanted one', async () => {
  await using opened = await openConsumersApi();
  await opened.append('s');
  const { db } = opened.api;
  await opened.create({ start: 'beginning' });
  await opened.create({ start: 'end' });
  const { rows } = await db.query<{ wanted: number | null; since: boolean }>(
    'select wanted, wanted_at <= clock_timestamp() as since from cursors order by wanted nulls last',
  );
  expect(rows).toEqual([
    { wanted: 1, since: true },
    { wanted: null, since: null },
  ]);
});

test('consumers that want an entry are read page by page, in rounds, so that the last of them gets its turn', async () => {
  await using opened = await openConsumersApi();
  const { db } = opened.api;
  for (let n = 0; n < 5; n += 1) await opened.create({ start: 'end' });
  await db.query('update cursors set wanted = 1, idle = true, needs_drain = true');
  const { rows } = await db.query<{ id: string }>('select id from consumers order by id');
  const ids = rows.map(({ id }) => id);
  const next = createRounds(createLeaderStore(db, 'visit'));
  for (const round of [1, 2]) {
    const read: string[] = [];
    for (const size of [2, 2, 1]) {
      const { toSignal, round: all } = await next(2);
      read.push(...toSignal.map(({ consumerId }) => consumerId));
      expect([round, toSignal.length, all?.size]).toEqual([
        round,
        size,
        size === 1 ? 5 : undefined,
      ]);
    }
    expect(read).toEqual(ids);
  }
});

test('a consumer that needs a drain, is held, is paused or belongs to another region is not claimed', async () => {
  for (const not of [
    'update cursors set needs_drain = true',
    'update consumers set held = true',
    `update consumers set status = 'paused'`,
    `update consumers set region = 'elsewhere'`,
  ]) {
    await using wanting = await openWanting();
    const { db } = wanting;
    await db.query(not);
    expect(await claim(db.pipe, { ...LEASE, lost: false }), not).toEqual([]);
  }
});

test.each([
  ['the lane again', 'visit', { wanted: 1, since: true, needs_drain: false }],
  ['a drain of its own', 'drain', { wanted: 1, since: true, needs_drain: true }],
  ['the leader', undefined, { wanted: null, since: false, needs_drain: false }],
] as const)('a visit that has ended leaves its consumer to %s', async (_to, wants, left) => {
  await using wanting = await openWanting();
  const { db, id } = wanting;
  await claim(db.pipe, { ...LEASE, lost: false });
  const released = { consumerId: id, epoch: 1, idle: wants === undefined, head: null } as const;
  const progress = createProgress(db);
  expect(await progress.release(wants === undefined ? released : { ...released, wants })).toBe(
    true,
  );
  const { rows } = await db.query(
    'select holder, visited, idle, wanted, wanted_at is not null as since, needs_drain from cursors',
  );
  expect(rows).toEqual([{ holder: null, visited: false, idle: true, ...left }]);
});

test('workflows of consumers that no lane claims are signalled after 20 s, or after 3 minutes where there are lanes; of those that need a drain immediately', () => {
  const unclaimed = createUnclaimed();
  const visit = { consumerId: 'a', wanted: 1, needsDrain: false, region: 'here', hasLanes: false };
  const drain = { ...visit, consumerId: 'b', needsDrain: true };
  const chosen = (now: number, ...wanting: (typeof visit)[]) =>
    unclaimed.choose(wanting, now).map((one) => one.consumerId);
  expect(chosen(0, visit, drain)).toEqual(['b']);
  expect(chosen(19_999, visit)).toEqual([]);
  expect(chosen(20_000, visit)).toEqual(['a']);
  expect(chosen(21_000, { ...visit, wanted: 2 })).toEqual([]); // it was served meanwhile
  expect(chosen(22_000)).toEqual([]);
  expect(chosen(50_000, { ...visit, wanted: 2 })).toEqual([]);
  const slow = { ...visit, hasLanes: true };
  expect(chosen(60_000)).toEqual([]);
  expect(chosen(100_000, slow)).toEqual([]);
  expect(chosen(279_999, slow)).toEqual([]);
  expect(chosen(280_000, slow)).toEqual(['a']);
});

test('consumers wait for lanes that existed until recently or that claim others meanwhile', () => {
  const unclaimed = createUnclaimed();
  const visit = (consumerId: string, region: string, hasLanes: boolean) => ({
    consumerId,
    wanted: 1,
    needsDrain: false,
    region,
    hasLanes,
  });
  const chosen = (now: number, ...wanting: ReturnType<typeof visit>[]) =>
    unclaimed.choose(wanting, now).map((one) => one.consumerId);
  const others = Array.from({ length: 40 }, (_, n) => visit(`other ${n}`, 'here', true));
  const first = [visit('last', 'here', true), visit('elsewhere', 'there', false)];
  expect(chosen(0, ...first, ...others)).toEqual([]);
  // All lanes are lost and begin anew; a region that has had none is not waited for.
  const lost = first.map((one) => ({ ...one, hasLanes: false }));
  expect(chosen(60_000, ...lost)).toEqual(['elsewhere']);
  expect(chosen(160_000, ...lost)).toEqual(['elsewhere']);
  // They are there again, and claim one after another, but not the last.
  let now = 170_000;
  for (let left = others.length; left >= 0; left -= 1) {
    expect(chosen(now, visit('last', 'here', true), ...others.slice(0, left))).toEqual([]);
    now += 30_000;
  }
  // From then on nothing is claimed.
  expect(chosen(now + 149_000, visit('last', 'here', true))).toEqual([]);
  expect(chosen(now + 151_000, visit('last', 'here', true))).toEqual(['last']);
});

test('entries that the leader has matched recently are found in memory, and others are left to Postgres', () => {
  const recent = createRecentKeys();
  const key = (position: number) => ({
    position,
    syncId: position % 2 === 0 ? 'even' : 'odd',
    collectionId: 'c',
    event: null,
  });
  const even = compile({ syncs: ['even'], collections: ['*'], event_types: ['*'] });
  recent.begin(10);
  recent.add([11, 12, 13, 14].map(key));
  expect(recent.first(9, even)).toBeUndefined();
  expect(recent.first(10, even)).toBe(12);
  expect(recent.first(12, even)).toBe(14);
  expect(recent.first(14, even)).toBeNull();
  recent.add(Array.from({ length: 30_000 }, (_, index) => key(15 + index)));
  expect(recent.first(10, even)).toBeUndefined();
  expect(recent.first(30_010, even)).toBe(30_012);
});

test('a consumer is busy after 500 entries, or after 5 s with at least 100 entries, without a pause; a slow one is not', () => {
  expect(isBusy({ settled: 499, busyMs: 4_999 })).toBe(false);
  expect(isBusy({ settled: 500, busyMs: 0 })).toBe(true);
  expect(isBusy({ settled: 100, busyMs: 5_000 })).toBe(true);
  expect(isBusy({ settled: 99, busyMs: 60_000 })).toBe(false);
});

test('claims at almost the same time are made together, and fail together', async () => {
  const batches: number[][] = [];
  const double = together({
    run: async (items: number[]) => {
      batches.push(items);
      if (items.includes(13)) throw new Error('13');
      return items.map((item) => 2 * item);
    },
    waitMs: 1,
    most: 3,
  });
  expect(await Promise.all([1, 2, 3, 4].map(double))).toEqual([2, 4, 6, 8]);
  expect(batches).toEqual([[1, 2, 3], [4]]);
  const failed = await Promise.allSettled([12, 13].map(double));
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});
