import { randomBytes } from 'node:crypto';

import { expect, test } from 'vitest';

import { readSender } from '../../src/consumers/lockedConsumer.ts';
import { untilInForce } from '../../src/consumers/untilInForce.ts';
import type { Sql } from '../../src/db/db.ts';
import { createVault } from '../../src/db/vault.ts';
import { takeForNobody } from '../../src/progress/filterRows.ts';
import {
  beginLaneLease,
  endLapsedLaneLeases,
  renewLaneLease,
  type LaneNote,
} from '../../src/progress/laneLeases.ts';
import { claim } from '../../src/progress/leases.ts';
import { MAY_STORE } from '../../src/rules/leaseSql.ts';
import { createVisitStore } from '../../src/visits/visitStore.ts';
import { openConsumersApi } from '../support/consumers.ts';
import { until } from '../support/poll.ts';

const NOTE: LaneNote = { floors: { records: null, events: null }, claims: 1, visiting: 0 };
const OF_LANE = { holder: 'lane', region: 'us-west-2', limit: 10, lost: false, number: 1 };

/** The lease is over, and that was noted so long ago that the lane has had its time to store. */
async function lapse(db: Sql): Promise<void> {
  await db.query(
    `update visit_lanes set lease_until = clock_timestamp() - interval '5 seconds',
                            lapsed_at = clock_timestamp() - interval '4 seconds'`,
  );
}

/** A consumer that a lane visits. */
async function openVisited() {
  const opened = await openConsumersApi();
  const { db } = opened.api;
  const { id } = await opened.create({ start: 'end' });
  await db.query('update cursors set wanted = position + 1, idle = true');
  await beginLaneLease(db, { id: 'lane', region: 'us-west-2' }, 60_000);
  expect(await claim(db.pipe, OF_LANE)).toHaveLength(1);
  return { opened, db, id, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
}

test('a lease that is over is not renewed, even if it has not been deleted yet', async () => {
  await using visited = await openVisited();
  const { db } = visited;
  const note = { ...NOTE, visiting: 3 };
  expect(await renewLaneLease(db, 'lane', 8_000, note)).toEqual({ lanes: 1, visiting: 3 });
  await beginLaneLease(db, { id: 'other', region: 'us-west-2' }, 8_000);
  expect(await renewLaneLease(db, 'other', 8_000, NOTE)).toEqual({ lanes: 2, visiting: 3 });
  await lapse(db);
  expect(await renewLaneLease(db, 'lane', 8_000, NOTE)).toBeNull();
});

test('a lane has its time to store from the first write after its lease, however long Postgres took no writes', async () => {
  await using visited = await openVisited();
  const { db } = visited;
  const isVisited = async () =>
    (await db.query<{ visited: boolean }>(`select ${MAY_STORE} as visited from cursors c`)).rows;
  await db.query(`update visit_lanes set lease_until = clock_timestamp() - interval '1 hour'`);
  await endLapsedLaneLeases(db);
  await endLapsedLaneLeases(db);
  expect(await isVisited()).toEqual([{ visited: true }]);
  await lapse(db);
  await endLapsedLaneLeases(db);
  expect(await isVisited()).toEqual([{ visited: false }]);
});

test('a renewal that is in progress when a lease is over is waited for, and the lease then stays', async () => {
  await using visited = await openVisited();
  const { db } = visited;
  // Time enough for a slow machine to renew it.
  await db.query(`update visit_lanes set lease_until = clock_timestamp() + interval '5 seconds'`);
  const lookedAt = Promise.withResolvers<void>();
  const renewed = db.transaction(async (tx) => {
    expect(await renewLaneLease(tx, 'lane', 8_000, NOTE)).not.toBeNull();
    await lookedAt.promise;
  });
  const isOver = async () => {
    const { rows } = await db.query<{ over: boolean }>(
      `select lease_until < clock_timestamp() as over from visit_lanes`,
    );
    return rows[0]?.over === true;
  };
  await until(isOver); // as everyone else sees it
  const ended = endLapsedLaneLeases(db);
  await until(async () => {
    const { rows } = await db.query(
      `select from pg_stat_activity where wait_event_type = 'Lock' and query like '%delete from visit_lanes%'
          and datname = current_database()`,
    );
    return rows.length > 0;
  });
  lookedAt.resolve();
  await Promise.all([renewed, ended]);
  expect(await renewLaneLease(db, 'lane', 8_000, NOTE)).not.toBeNull();
});

test('a lane whose lease was deleted claims nothing', async () => {
  await using visited = await openVisited();
  const { db } = visited;
  await db.query(
    'update cursors set visited = false, holder = null, idle = true, wanted = position + 1',
  );
  await lapse(db);
  await endLapsedLaneLeases(db);
  expect(await claim(db.pipe, OF_LANE)).toEqual([]);
  await beginLaneLease(db, { id: 'next', region: 'us-west-2' }, 8_000);
  expect(await claim(db.pipe, { ...OF_LANE, holder: 'next' })).toHaveLength(1);
});

test('edits of a consumer whose lane has died are in force as soon as the lease of the lane is over', async () => {
  await using visited = await openVisited();
  const { db, id } = visited;
  const holder = async () => (await db.query('select visited, holder from cursors')).rows;
  await takeForNobody(db, [id]);
  expect(await holder()).toEqual([{ visited: true, holder: 'lane' }]);
  await lapse(db);
  await takeForNobody(db, [id]);
  expect(await holder()).toEqual([{ visited: false, holder: null }]);
});

test('an edit does not overtake a lane whose lease is over by the clock, while the lane may still store', async () => {
  await using visited = await openVisited();
  const { db, id } = visited;
  await db.query(`update visit_lanes set lease_until = clock_timestamp() - interval '1 ms'`);
  const sender = await readSender(db, id);
  expect(sender).toMatchObject({ live: true, visited: true });
  const inForce = untilInForce(db, id, (sender?.version ?? 0) + 1, {
    status: 'active',
    live: true,
  });
  const stored = 'update cursors set position = position + 1 where epoch = $1 returning position';
  const { rows } = await db.query<{ epoch: number }>('select epoch from cursors');
  const epoch = [rows[0]?.epoch];
  expect((await db.query({ text: stored, values: epoch })).rows).toHaveLength(1); // before the edit is answered
  await inForce;
  expect((await db.query({ text: stored, values: epoch })).rows).toEqual([]);
  expect((await readSender(db, id))?.live).toBe(false);
});

test('a consumer that was claimed after its lane had noted how far it is, is not shown there', async () => {
  await using visited = await openVisited();
  const { db, id, opened } = visited;
  const { position: before } = await opened.read(id);
  const note = { ...NOTE, floors: { records: null, events: before + 7 }, visiting: 1 };
  await renewLaneLease(db, 'lane', 8_000, { ...note, claims: 0 });
  expect((await opened.read(id)).position).toBe(before);
  await renewLaneLease(db, 'lane', 8_000, { ...note, claims: 1 });
  expect((await opened.read(id)).position).toBe(before + 7);
});

test('a consumer that is visited and does not fail is shown where its lane has come to', async () => {
  await using visited = await openVisited();
  const { db, id, opened } = visited;
  const { position: before } = await opened.read(id);
  const floors = { records: 5, events: before + 7 };
  expect(await renewLaneLease(db, 'lane', 8_000, { ...NOTE, floors, visiting: 1 })).not.toBeNull();
  expect((await opened.read(id)).position).toBe(before + 7);
  await db.query('update cursors set head = position + 1, attempt = 1');
  expect((await opened.read(id)).position).toBe(before);
});

test('a renewal does not wait behind statements for thousands of consumers', async () => {
  await using visited = await openVisited();
  const { db } = visited;
  const store = createVisitStore(db, createVault([{ id: 'test', key: randomBytes(32) }]));
  const locked = Promise.withResolvers<void>();
  const letGo = Promise.withResolvers<void>();
  const lock = `select pg_advisory_xact_lock(77)`;
  const held = db.transaction(async (tx) => {
    await tx.query(lock);
    locked.resolve();
    await letGo.promise;
  });
  await locked.promise;
  const done: string[] = [];
  const long = db.pipe.query(lock).then(() => done.push('a long statement'));
  expect(await store.lease.renew('lane', 8_000, NOTE)).not.toBeNull();
  done.push('the renewal');
  letGo.resolve();
  await Promise.all([held, long]);
  expect(done).toEqual(['the renewal', 'a long statement']);
});

test('a renewal without an answer is given up while the lease is still valid, and the next one uses another connection', async () => {
  await using visited = await openVisited();
  const { db } = visited;
  const store = createVisitStore(db, createVault([{ id: 'test', key: randomBytes(32) }]));
  const letGo = Promise.withResolvers<void>();
  const locked = Promise.withResolvers<void>();
  const held = db.transaction(async (tx) => {
    await tx.query(`update visit_lanes set visiting = 7`);
    locked.resolve();
    await letGo.promise;
  });
  await locked.promise;
  await expect(store.lease.renew('lane', 2_000, NOTE)).rejects.toThrow(
    'no answer to a statement about the lease',
  );
  letGo.resolve();
  await held;
  expect(await store.lease.renew('lane', 8_000, NOTE)).not.toBeNull();
});
