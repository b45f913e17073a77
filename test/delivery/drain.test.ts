import { expect, test } from 'vitest';

import { until } from '../support/poll.ts';
import { openReceiver } from '../support/receiver.ts';
import { someEvents, openWorld } from '../support/world.ts';

test('a consumer that starts at the beginning gets everything, in order per record', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  await world.append.events(someEvents(3_000, { records: 50 }));
  const target = await world.target(receiver.url);
  const consumer = await world.consumer(target, { start: 'beginning' });

  await until(() => receiver.received.length >= 3_000);
  const state = await world.caughtUp(consumer);

  expect(receiver.received).toHaveLength(3_000);
  expect(state.position).toBe(3_000);
  const newest = new Map<string, number>();
  for (const { body } of receiver.received) {
    const { event } = JSON.parse(body) as { event: { upstream_id: string; position: number } };
    expect(event.position).toBeGreaterThan(newest.get(event.upstream_id) ?? 0);
    newest.set(event.upstream_id, event.position);
  }
});

test('a consumer that starts at the end gets everything that is appended after the 201, and nothing from before', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  await world.append.events(someEvents(100));
  const consumer = await world.consumer(await world.target(receiver.url));
  await world.append.events(someEvents(10, { from: 100 }));

  await until(() => receiver.received.length >= 10);
  await world.caughtUp(consumer);
  expect(receiver.received.map((one) => one.position).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 10 }, (_, index) => 101 + index),
  );
});
