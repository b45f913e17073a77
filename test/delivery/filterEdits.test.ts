import { describe, expect, test } from 'vitest';

import { HOSTS } from '../support/hosts.ts';
import { until } from '../support/poll.ts';
import { accept, openReceiver, type TestReceiver } from '../support/receiver.ts';
import { openWorld, someEvents, type World } from '../support/world.ts';

function collectionsOf(receiver: TestReceiver): Map<string, number[]> {
  const seen = new Map<string, number[]>();
  for (const { body, position } of receiver.received) {
    const { event } = JSON.parse(body) as { event: { collection_id: string } };
    seen.set(event.collection_id, [...(seen.get(event.collection_id) ?? []), position]);
  }
  return seen;
}

/** 10,000 entries, alternately of two collections. */
async function appendMixed(world: World, count: number): Promise<void> {
  const orders = someEvents(count, { collectionId: 'shop:order' });
  const carts = someEvents(count, { collectionId: 'shop:cart' });
  await world.append.events(
    orders.flatMap((order, index) => [order, carts[index] as typeof order]),
  );
}

describe.each(HOSTS)('sent to by $by', ({ options }) => {
  for (const way of ['API', 'signal'] as const) {
    test(`a filter edited by ${way} while 10,000 entries drain applies above filter_from, exactly`, async () => {
      await using world = await openWorld(options);
      // Slow until the edit is in force: it must not come when everything has been read.
      let slow = true;
      await using receiver = await openReceiver((one, response) => {
        if (slow && one.position > 500) setTimeout(() => accept(one, response), 100);
        else accept(one, response);
      });
      await appendMixed(world, 5_000);
      const target = await world.target(receiver.url, { max_in_flight: 8 });
      const consumer = await world.consumer(target, {
        start: 'beginning',
        collections: ['shop:order', 'shop:cart'],
      });
      await until(() => receiver.received.length > 500);

      if (way === 'API') {
        const delta = {
          remove: { collections: ['shop:cart'] },
          add: { collections: ['shop:extra'] },
        };
        const { status, body } = await world.api.request(
          'POST',
          `/v1/consumers/${consumer}/filter`,
          delta,
        );
        expect([status, body.filter_version]).toEqual([200, 2]);
        expect(body.collections).toEqual(['shop:order', 'shop:extra']);
      } else {
        await world.handle(consumer).signal('addCollections', ['shop:extra']);
        await world.handle(consumer).signal('removeCollections', ['shop:cart']);
        await until(async () => (await world.get(consumer)).filter_version === 3);
      }
      slow = false;
      await world.append.events(someEvents(100, { collectionId: 'shop:extra' }));
      await world.append.events(someEvents(100, { collectionId: 'shop:cart' }));
      const state = await world.caughtUp(consumer, 60_000);

      const seen = collectionsOf(receiver);
      const filterFrom = state.filter_from;
      expect(filterFrom).toBeLessThan(10_000);
      expect(filterFrom).toBeGreaterThan(0);
      // Every order, once; every addition appended after the answer; carts only from before the edit.
      expect(seen.get('shop:order')?.length).toBe(5_000);
      expect(new Set(seen.get('shop:order')).size).toBe(5_000);
      expect(seen.get('shop:extra')?.length).toBe(100);
      expect(Math.max(...(seen.get('shop:cart') ?? []))).toBeLessThanOrEqual(filterFrom);
      expect(seen.get('shop:cart')?.length).toBeLessThan(5_000);
      expect(state.position).toBe(10_200);
    });
  }

  test('an addition never reaches back, not even for an idle consumer, and takes effect for the next append', async () => {
    await using world = await openWorld({ ...options, idleAfterMs: 200 });
    await using receiver = await openReceiver();
    const consumer = await world.consumer(await world.target(receiver.url), {
      collections: ['shop:order'],
    });
    await world.append.events(someEvents(20, { collectionId: 'shop:cart' }));
    await world.append.events(someEvents(5));
    await until(() => receiver.received.length === 5);
    await until(async () => {
      const { rows } = await world.db.query<{ idle: boolean }>('select idle from cursors');
      return rows[0]?.idle;
    });
    const { status } = await world.api.request('POST', `/v1/consumers/${consumer}/filter`, {
      add: { collections: ['shop:cart'] },
    });
    expect(status).toBe(200);
    await world.append.events(someEvents(7, { collectionId: 'shop:cart' }));
    await until(() => receiver.received.length >= 12);
    await world.caughtUp(consumer);
    const carts = collectionsOf(receiver).get('shop:cart') ?? [];
    expect(carts).toHaveLength(7);
    expect(Math.min(...carts)).toBe(26);
  });

  test('when appends race an edit, everything that is appended after the answer arrives', async () => {
    // It may be busy from its first entry on.
    await using world = await openWorld({ ...options, mustVisit: false });
    await using receiver = await openReceiver();
    const consumer = await world.consumer(await world.target(receiver.url), { syncs: [] });
    let answered = false;
    const late: string[] = [];
    const racing = (async () => {
      for (let left = 100; left > 0; left -= answered ? 1 : 0) {
        const after = answered;
        const events = someEvents(5);
        await world.append.events(events);
        if (after) late.push(...events.map((one) => one.eventId));
      }
    })();
    const { status } = await world.api
      .request('POST', `/v1/consumers/${consumer}/filter`, { add: { syncs: ['sync-1'] } })
      .finally(() => (answered = true));
    await racing;
    expect(status).toBe(200);
    await world.append.events(someEvents(1));
    await world.caughtUp(consumer);
    const got = new Set(receiver.received.map((one) => one.id));
    expect(late.length).toBeGreaterThan(0);
    expect(late.filter((id) => !got.has(id))).toEqual([]);
    expect(got.size).toBe(receiver.received.length);
  });
});

describe.each(HOSTS)('sent to by $by', ({ options }) => {
  test.each([
    ['syncs', { syncs: ['in'] }, { syncs: ['later'] }, { syncId: 'later' }, { syncId: 'in' }],
    [
      'collections',
      { collections: ['a:in'] },
      { collections: ['a:later'] },
      { collectionId: 'a:later' },
      { collectionId: 'a:in' },
    ],
  ])(
    'what was left out stays out when its %s are added to a filter that is in use',
    async (_what, filter, added, left, matching) => {
      await using world = await openWorld(options);
      await using receiver = await openReceiver();
      await using all = await openReceiver();
      const consumer = await world.consumer(await world.target(receiver.url), { ...filter });
      await world.consumer(await world.target(all.url));
      await world.append.events(someEvents(1, matching));
      await until(() => receiver.received.length === 1);
      await world.append.events(someEvents(30, left));
      await until(() => all.received.length === 31); // the worker has read them
      const { status, body } = await world.api.request('POST', `/v1/consumers/${consumer}/filter`, {
        add: added,
      });
      expect([status, body.filter_from]).toEqual([200, 31]);
      await world.append.events(someEvents(1, left));
      await until(() => receiver.received.length > 1);
      expect(receiver.received.map(({ position }) => position)).toEqual([1, 32]);
    },
  );
});

test('a signal with a malformed argument is ignored and noted, and the consumer continues', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const consumer = await world.consumer(await world.target(receiver.url));
  for (const garbage of [null, 7, 'sync', {}, [1], [''], ['*', 'a'], [['nested']]]) {
    await world.handle(consumer).signal('addSyncs', garbage);
  }
  await world.handle(consumer).signal('addCollections', ['no-colon']);
  await world.handle(consumer).signal('addEventTypes', ['exploded']);
  await world.handle(consumer).signal('pause', 'unasked for');
  await world.becomes(consumer, 'paused');
  await world.handle(consumer).signal('resume');
  await world.becomes(consumer, 'active');
  await world.append.events(someEvents(3));
  await until(() => receiver.received.length === 3);
  const state = await world.get(consumer);
  expect(state.filter_version).toBe(1);
  const query = await world
    .handle(consumer)
    .query<{ status: string; filter: { syncs: string[] } }>('state');
  expect(query.filter.syncs).toEqual(['*']);
});

test('the state query and the search attributes say the same as the row', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const consumer = await world.consumer(await world.target(receiver.url), { syncs: ['a', 'b'] });
  await world.api.request('POST', `/v1/consumers/${consumer}/filter`, { add: { syncs: ['c'] } });
  const state = await world.handle(consumer).query<Record<string, unknown>>('state');
  expect(state).toMatchObject({
    status: 'active',
    filter: { syncs: ['a', 'b', 'c'], collections: ['*'], event_types: ['*'] },
    filter_version: 2,
    truncated: false,
  });
  const found = await until(async () => {
    const query = `WorkflowId = 'consumer/${consumer}' and ConsumerStatus = 'active'`;
    for await (const one of world.client.workflow.list({ query })) return one;
    return null;
  });
  expect(found.workflowId).toBe(`consumer/${consumer}`);
});
