// conditions of parked entries: evaluated in turns with other work, and once for each version of the filter
import { expect, onTestFinished, test } from 'vitest';

import { createConditions, type ConditionFault } from '../../src/delivery/conditions.ts';
import { createFilterStack } from '../../src/delivery/filterStack.ts';
import { createOpenSenders } from '../../src/delivery/openSenders.ts';
import { createReconfigure } from '../../src/delivery/reconfigure.ts';
import type { WebhookSender } from '../../src/egress/webhookSender.ts';
import type { Outgoing } from '../../src/failure/outgoing.ts';
import { createParkedEntries } from '../../src/failure/parkedEntries.ts';
import { createParkedRetries } from '../../src/failure/parkedRetries.ts';
import { createSlidingWindow } from '../../src/flow/slidingWindow.ts';
import { createTurn } from '../../src/flow/turn.ts';
import { createParkedStore, parkEntry } from '../../src/progress/parkedRows.ts';
import { NO_ENTRY, type Entry } from '../../src/streams/entry.ts';
import { openConsumersApi } from '../support/consumers.ts';
import { parkedRow } from '../support/parkedRows.ts';
import { until } from '../support/poll.ts';

/** A condition that takes longer than a turn for each entry; `most` is how many were asked before other work had its turn. */
function costly(isSatisfied = true) {
  const counts = { asked: 0, most: 0 };
  let sinceTurn = 0;
  let isOver = false;
  const other = (): void => {
    sinceTurn = 0;
    if (!isOver) setImmediate(other);
  };
  setImmediate(other);
  onTestFinished(() => {
    isOver = true;
  });
  const asks = ({ body }: { body: string }): boolean => {
    if (body === '') return true;
    counts.asked += 1;
    sinceTurn += 1;
    counts.most = Math.max(counts.most, sinceTurn);
    const ends = performance.now() + 25;
    while (performance.now() < ends);
    return isSatisfied;
  };
  return { counts, asks };
}

/** A consumer with 30 parked entries that are due, and what retries them. */
async function openRetries() {
  const opened = await openConsumersApi();
  onTestFinished(() => opened[Symbol.asyncDispose]());
  const { db } = opened.api;
  const { id } = (await opened.create()) as { id: string };
  for (let position = 1; position <= 30; position += 1) {
    const of = { syncId: 's', collectionId: 'a:b', event: 'updated' as const, traceparent: null };
    const entry = { ...of, position, messageId: `m${position}`, upstreamId: `u${position}` };
    await parkEntry(db, id, { entry: { ...entry, body: '{}' }, at: new Date() });
  }
  const store = createParkedStore(db);
  const parked = createParkedEntries({
    windowMs: 86_400_000,
    clock: Date.now,
    nowMs: Date.now,
    now: Date.now,
    rows: await store.heads(id),
    total: 30,
  });
  const waiting: Outgoing[] = [];
  const sent: number[] = [];
  const faults: unknown[] = [];
  const retries = createParkedRetries({
    consumerId: id,
    parked,
    store,
    room: () => 1_000_000,
    dispatcher: {
      putBack: (slot) => void waiting.push(slot),
      pump: () => sent.push(...waiting.splice(0).map(({ position }) => position)),
    },
    limit: { limit: 100 },
    turn: createTurn(),
    hasCondition: () => true,
    mark: () => undefined,
    log: { warn: (...said: unknown[]) => void faults.push(said) } as never,
  });
  return { parked, retries, sent, faults };
}

test('parked entries that are due at the same time leave turns to other work while their condition is evaluated', async () => {
  const { parked, retries, sent, faults } = await openRetries();
  const { counts, asks } = costly();
  parked.keepOnly(asks);
  retries.tick();
  await until(() => {
    retries.tick();
    return sent.length === 30;
  });
  expect(new Set(sent).size).toBe(30);
  expect(counts.asked).toBe(30);
  expect(counts.most).toBeLessThanOrEqual(2);
  expect(faults).toEqual([]);
});

test('a condition that is saved while parked entries wait to be sent is evaluated in turns, and once for each of them', async () => {
  const { parked, retries, sent } = await openRetries();
  const { counts, asks } = costly(false);
  const lists = { syncs: ['*'], collections: ['*'], event_types: ['*'] };
  const before = { filterVersion: 1, filters: [{ version: 1, filterFrom: 0, filter: lists }] };
  const where = 'event.data.n > 1';
  const edited = { version: 2, filterFrom: null, filter: { ...lists, where } };
  const next = { filterVersion: 2, filters: [...before.filters, edited] };
  const filters = createFilterStack(before.filters, 30, () => asks);
  parked.keepOnly((entry) => filters.matches(entry));
  retries.tick();
  await until(() => {
    retries.tick();
    return sent.length === 30;
  });
  const nothing = (): void => undefined;
  const reconfigure = createReconfigure({
    filters,
    tail: { follow: () => nothing },
    reader: { fill: nothing, catchUp: nothing, forget: nothing },
    slidingWindow: createSlidingWindow<Entry>({ position: 30, ahead: [] }, NO_ENTRY),
    failures: { closed: nothing },
    parked,
    retries,
    limit: { setMax: nothing },
    pace: { change: nothing },
    outage: { reconfigured: nothing },
    turn: createTurn(),
    readTo: () => 30,
    redirect: nothing,
    letGo: nothing,
    mark: nothing,
    stir: nothing,
  });
  const common = { parkedVersion: 0, ordering: 'record', batch: null, path: '', target: {} };
  const config = (of: typeof before | typeof next) => ({ ...common, ...of }) as never;
  await reconfigure.prepare(config(next), config(before));
  reconfigure.apply(config(next), config(before));
  expect(counts.asked).toBe(30);
  expect(counts.most).toBeLessThanOrEqual(2);
  expect(parked.size).toBe(0);
});

test('a parked entry is counted once that is on its way when a condition is saved which cannot be evaluated for it', () => {
  const faults: ConditionFault[] = [];
  const conditions = createConditions({ note: (fault) => void faults.push(fault) });
  const lists = { syncs: ['*'], collections: ['*'], event_types: ['*'] };
  const first = { version: 1, filterFrom: 0, filter: lists };
  const second = { version: 2, filterFrom: 5, filter: { ...lists, where: 'event.data.n > 1' } };
  const compile = conditions.of({ consumerId: 'c', stream: 'events' });
  const filters = createFilterStack([first], 5, compile);
  const parked = createParkedEntries({
    windowMs: 86_400_000,
    clock: Date.now,
    nowMs: Date.now,
    now: Date.now,
    rows: [parkedRow(1)],
    total: 1,
  });
  parked.keepOnly((entry) => filters.matches(entry));
  const [one] = parked.due();
  parked.load(one!, { body: '{"event":{"data":{}}}', superseded: false });
  parked.starts(one!);
  const slot = { entry: one!.entry, parked: one! } as Outgoing;
  let startBy = (): number => Infinity;
  createOpenSenders(
    (startsBy) => {
      startBy = () => startsBy(slot);
      return {} as WebhookSender<Outgoing>;
    },
    {
      startBy: () => 1_000,
      ending: { reason: null },
      parked,
      made: () => undefined,
      log: { warn: () => undefined } as never,
    },
  );
  expect(startBy()).toBe(1_000);

  filters.add([first, second], 5);
  parked.keepOnly((entry) => filters.matches(entry));
  expect([startBy(), startBy()]).toEqual([0, 0]); // while it waits for its connection, and right before it is written
  expect(parked.lands(one!)).toBe(false);
  expect(faults.map(({ position, filterVersion }) => [position, filterVersion])).toEqual([[1, 2]]);
});
