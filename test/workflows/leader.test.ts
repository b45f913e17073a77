import pino from 'pino';
import { expect, test } from 'vitest';

import { createCommandApplier } from '../../src/consumers/applyCommand.ts';
import { openDb } from '../../src/db/db.ts';
import { createListener } from '../../src/db/listener.ts';
import { createPages } from '../../src/streams/pages.ts';
import { createLeaderStore, type LeaderStore } from '../../src/wake/leaderStore.ts';
import { createPacedQueue } from '../../src/wake/pacedQueue.ts';
import { startWake, type Wake } from '../../src/wake/wake.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { PATIENT } from '../support/database.ts';
import { until } from '../support/poll.ts';
import { createProxy } from '../support/proxy.ts';

interface Leader extends AsyncDisposable {
  wake: Wake;
  /** Consumers whose workflows it has told. */
  told: string[];
}

/** A process that may lead, on connections of its own. */
function openLeader(url: string, holder: string): Leader {
  const log = pino({ level: 'silent' });
  const db = openDb({ url, ...PATIENT, onError: () => undefined });
  const listener = createListener({ url, log });
  const told: string[] = [];
  const queue = createPacedQueue({ isRefusal: () => false, log });
  const wake = startWake({
    store: createLeaderStore(db, 'drain'),
    pages: createPages(db),
    listener,
    holder,
    visits: false,
    signal: async (consumerId) => void told.push(consumerId),
    queue,
    pollMs: 100,
    log,
  });
  return {
    wake,
    told,
    [Symbol.asyncDispose]: async () => {
      await wake[Symbol.asyncDispose]();
      await queue.close();
      await listener.close();
      await db.close();
    },
  };
}

interface Cursor {
  position: number;
  indexed_epoch: number | null;
  wanted: number | null;
}

async function cursorOf({ api }: ConsumersApi, id: string): Promise<Cursor> {
  const { rows } = await api.db.query<Cursor>({
    text: 'select position, indexed_epoch, wanted from cursors where consumer_id = $1',
    values: [id],
  });
  if (rows[0] === undefined) throw new Error(`no cursor of ${id}`);
  return rows[0];
}

/** Lets the leader's tail reach the position. */
async function tailAt({ api }: ConsumersApi, position: number): Promise<void> {
  await until(async () => {
    const { rows } = await api.db.query<{ there: boolean }>({
      text: `select position >= $1 as there from tails where stream = 'events'`,
      values: [position],
    });
    return rows[0]?.there;
  });
}

test.concurrent('a leader that is cut off is replaced, the consumers that it watched are woken, and it does not interfere when it is back', async () => {
  await using opened = await openConsumersApi();
  await using proxy = await createProxy(opened.databaseUrl);
  await using first = openLeader(proxy.url, 'first');
  await until(() => first.wake.leads);
  await using second = openLeader(opened.databaseUrl, 'second');
  const { id: a } = await opened.create({ syncs: ['a'] });
  const { id: b } = await opened.create({ syncs: ['b'] });
  await until(() => first.wake.watched === 2);
  expect(second.wake.leads).toBe(false);

  proxy.setAway(true);
  await opened.append('a');
  await until(() => second.wake.leads);
  expect(first.wake.leads).toBe(false); // its lease was over before another had one
  await until(() => second.told.includes(a));
  expect(first.told).not.toContain(a);

  proxy.setAway(false);
  await opened.append('b');
  await until(() => second.told.includes(b));
  await opened.append('nobody');
  await tailAt(opened, 3);
  expect(first.told).toEqual([]);
  expect([first.wake.leads, second.wake.leads]).toEqual([false, true]);
}, 180_000);

test.concurrent('a leader that resigns is replaced at the next check, and nothing that is appended meanwhile is lost', async () => {
  await using opened = await openConsumersApi();
  const first = openLeader(opened.databaseUrl, 'first');
  await until(() => first.wake.leads);
  await using second = openLeader(opened.databaseUrl, 'second');
  const { id } = await opened.create({ syncs: ['a'] });
  await until(() => first.wake.watched === 1);
  await first[Symbol.asyncDispose]();
  await opened.append('a');
  await until(() => second.told.includes(id));
  expect(first.told).toEqual([]);
});

test.concurrent('a consumer that has to be woken is signalled until its workflow accepts the signal', async () => {
  await using opened = await openConsumersApi();
  const { id } = await opened.create({ syncs: ['a'] });
  await using leader = openLeader(opened.databaseUrl, 'first');
  await until(() => leader.wake.watched === 1);
  await opened.append('a');
  await until(() => leader.told.length >= 2);
  expect(new Set(leader.told)).toEqual(new Set([id]));
});

/** Takes the lead away, as a new process does first. */
async function takeOver(store: LeaderStore, holder: string, leaseMs = 5_000): Promise<number> {
  const epoch = await store.lead(holder, null, leaseMs);
  if (epoch === null) throw new Error('another one leads');
  await store.unwatchAll();
  return epoch;
}

test.concurrent('an idle consumer keeps its position when the leader changes: nothing is scanned again, and no addition reaches back', async () => {
  await using opened = await openConsumersApi();
  const { db } = opened.api;
  const { id } = await opened.create({ syncs: ['a'] });
  const { id: wanting } = await opened.create({ syncs: ['c'] });
  const first = openLeader(opened.databaseUrl, 'first');
  await until(() => first.wake.watched === 2);
  await opened.append('c');
  await opened.append('b', 49);
  await tailAt(opened, 50);
  await first[Symbol.asyncDispose]();

  await takeOver(createLeaderStore(db, 'drain'), 'second');
  expect(await cursorOf(opened, id)).toMatchObject({ position: 50, indexed_epoch: null });
  expect(await cursorOf(opened, wanting)).toMatchObject({ position: 0, wanted: 1 });
  const edits = createCommandApplier({ db, pages: createPages });
  const add = { add: { syncs: ['b'] }, remove: {} };
  const command = { kind: 'filter' as const, delta: add };
  await edits.apply(id, { editId: 'e', actor: 'test', command }, new Date());
  expect(await opened.read(id)).toMatchObject({ filter_from: 50, position: 50 });
});

test.concurrent('a write of a former leader that is in progress when another one takes over counts either before that or not at all', async () => {
  await using opened = await openConsumersApi();
  await using other = openDb({ url: opened.databaseUrl, ...PATIENT, onError: () => undefined });
  const { db } = opened.api;
  const { id: consumerId } = await opened.create({ syncs: ['a'] });
  const former = createLeaderStore(db, 'drain');
  const epoch = await takeOver(former, 'former', 1);
  const lock = Promise.withResolvers<void>();
  await using stack = new AsyncDisposableStack();
  stack.defer(lock.resolve); // else closing waits for it
  const locked = Promise.withResolvers<void>();
  const holding = other.transaction(async (tx) => {
    await tx.query({
      text: 'select from cursors where consumer_id = $1 for update',
      values: [consumerId],
    });
    locked.resolve();
    await lock.promise;
  });
  await locked.promise;
  const waiting = async (): Promise<number> => {
    const { rows } = await other.query<{ waiting: number }>(
      `select count(*)::int as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rows[0]?.waiting ?? 0;
  };
  // It waits for the row when its lease has run out and another process takes over.
  const watching = former.watch(epoch, [{ consumerId, filterVersion: 1, position: null }]);
  await until(async () => (await waiting()) === 1);
  let taken = false;
  const next = createLeaderStore(other, 'drain');
  const taking = takeOver(next, 'next').then(() => (taken = true));
  await until(async () => taken || (await waiting()) === 2);
  lock.resolve();
  await Promise.all([holding, watching, taking]);
  const left = await next.unwatched(10);
  expect(left.map((one) => one.consumerId)).toEqual([consumerId]);
  const advance = { stream: 'events' as const, from: 0, to: 5, wanted: [] };
  expect(await former.advance({ ...advance, epoch })).toBe(false);
  expect(await next.advance({ ...advance, epoch: epoch + 1 })).toBe(true);
});
