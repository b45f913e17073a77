import { describe, expect, test } from 'vitest';

import { HOSTS } from '../support/hosts.ts';
import { until } from '../support/poll.ts';
import { accept, openReceiver } from '../support/receiver.ts';
import { watchSlowness } from '../support/slowness.ts';
import { openWorld, someEvents } from '../support/world.ts';

describe.each(HOSTS)('sent to by $by', ({ options }) => {
  test.concurrent('no request starts after a pause was answered, and resume continues without loss or repetition', async () => {
    await using world = await openWorld(options);
    let isHeld = true; // it must not be through before it is paused
    const held: (() => void)[] = [];
    await using receiver = await openReceiver((one, response) => {
      if (isHeld && receiver.received.length > 300) held.push(() => accept(one, response));
      else setImmediate(() => accept(one, response));
    });
    await world.append.events(someEvents(2_000));
    const target = await world.target(receiver.url, { max_in_flight: 4 });
    const consumer = await world.consumer(target, { start: 'beginning' });
    await until(() => held.length > 0);
    const { status, body } = await world.api.request('POST', `/v1/consumers/${consumer}/pause`);
    expect([status, body.status]).toEqual([200, 'paused']);
    const inFlight = receiver.received.length;
    isHeld = false;
    for (const answer of held) answer();
    const settled = await until(async () => {
      const { rows } = await world.db.query<{ holder: string | null }>(
        'select holder from cursors',
      );
      return rows[0]?.holder === null;
    });
    expect(settled).toBe(true);
    expect(receiver.received.length - inFlight).toBeLessThanOrEqual(4);
    expect(receiver.received.length).toBeLessThan(2_000);
    expect((await world.api.request('POST', `/v1/consumers/${consumer}/pause`)).status).toBe(200);

    const again = await world.api.request('POST', `/v1/consumers/${consumer}/resume`);
    expect(again.body.status).toBe('active');
    await world.caughtUp(consumer);
    expect(new Set(receiver.received.map((one) => one.position)).size).toBe(2_000);
    expect(receiver.received).toHaveLength(2_000);
  }, 180_000);

  test.concurrent('seek moves a running consumer once its requests in flight have ended, and everything is sent again', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    await world.append.events(someEvents(500, { records: 5 }));
    const consumer = await world.consumer(await world.target(receiver.url), { start: 'beginning' });
    await until(() => receiver.received.length === 500);
    const moved = await world.api.request('POST', `/v1/consumers/${consumer}/seek`, {
      to: 'beginning',
    });
    expect(moved.status).toBe(200);
    await until(() => receiver.received.length === 1_000);
    await world.caughtUp(consumer);
    expect(
      receiver.received
        .slice(500)
        .map((one) => one.position)
        .sort((a, b) => a - b),
    ).toEqual(
      receiver.received
        .slice(0, 500)
        .map((one) => one.position)
        .sort((a, b) => a - b),
    );
    const end = await world.api.request('POST', `/v1/consumers/${consumer}/seek`, { to: 'end' });
    expect(end.body.position).toBe(500);
  });

  test.concurrent('ordering "stream" sends strictly one after another, "none" lets entries of one record overlap', async () => {
    await using world = await openWorld(options);
    await using strict = await openReceiver(
      (one, response) => void setImmediate(() => accept(one, response)),
    );
    await using loose = await openReceiver(
      (one, response) => void setTimeout(() => accept(one, response), 20),
    );
    await world.append.events(someEvents(300, { records: 3 }));
    await world.consumer(await world.target(strict.url), {
      start: 'beginning',
      ordering: 'stream',
    });
    await world.consumer(await world.target(loose.url), { start: 'beginning', ordering: 'none' });
    await until(() => strict.received.length === 300 && loose.received.length === 300, {
      timeoutMs: 60_000,
    });
    expect(strict.received.map((one) => one.position)).toEqual(
      Array.from({ length: 300 }, (_, i) => i + 1),
    );
    expect(strict.mostOpen).toBe(1);
    expect(loose.mostOpen).toBeGreaterThan(3);
  });

  test.concurrent('changing the ordering waits until nothing is in flight', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    await world.append.events(someEvents(5_000, { records: 50 }));
    const consumer = await world.consumer(await world.target(receiver.url), {
      start: 'beginning',
      ordering: 'none',
    });
    await until(() => receiver.received.length > 100);
    const { status, body } = await world.api.request('PATCH', `/v1/consumers/${consumer}`, {
      ordering: 'stream',
      name: 'strict',
    });
    expect([status, body.ordering, body.name]).toEqual([200, 'stream', 'strict']);
    const before = receiver.received.length;
    receiver.mostOpen = 0;
    await world.caughtUp(consumer, 90_000);
    const after = receiver.received.slice(before).map((one) => one.position);
    expect(after).toEqual([...after].sort((a, b) => a - b));
    expect(receiver.received).toHaveLength(5_000);
  }, 180_000);

  test.concurrent('a graceful stop of the worker causes no duplicate, and another worker continues', async () => {
    await using world = await openWorld(options);
    let answersAfterMs = 5;
    await using receiver = await openReceiver(
      (one, response) => void setTimeout(() => accept(one, response), answersAfterMs),
    );
    await world.append.events(someEvents(2_000));
    const consumer = await world.consumer(await world.target(receiver.url, { max_in_flight: 20 }), {
      start: 'beginning',
    });
    await until(() => receiver.received.length > 300);
    answersAfterMs = 500; // it must not be through before it is stopped
    await world.stopWorker();
    answersAfterMs = 5;
    const sent = receiver.received.length;
    expect(sent).toBeLessThan(2_000);
    await world.startWorker();
    await world.caughtUp(consumer);
    expect(receiver.received).toHaveLength(2_000);
    expect(new Set(receiver.received.map((one) => one.position)).size).toBe(2_000);
  }, 180_000);
});

test.concurrent('an idle consumer runs no activity, has the end of its stream as its position, and is woken by a match', async () => {
  await using world = await openWorld({ idleAfterMs: 100 });
  await using receiver = await openReceiver();
  const consumer = await world.consumer(await world.target(receiver.url), {
    collections: ['shop:order'],
  });
  const watched = async (): Promise<boolean> => {
    const { rows } = await world.db.query<{ watched: boolean }>(
      'select idle and indexed_epoch is not null and holder is null as watched from cursors',
    );
    return rows[0]?.watched === true;
  };
  await until(watched);
  // Its drain has let go by now; Temporal hears of it a moment later.
  await until(async () => {
    const { raw } = await world.handle(consumer).describe();
    return (raw.pendingActivities ?? []).length === 0;
  });
  await world.append.events(someEvents(40, { collectionId: 'shop:cart' }));
  const idle = await until(async () => {
    const state = await world.get(consumer);
    return state.position === 40 && state;
  });
  expect(idle.lag).toEqual({ entries: 0, seconds: 0, exact: true });

  // Several times, as the machine may be slow at one.
  let quickest = Infinity;
  for (let round = 1; quickest >= 1_000 && round <= 5; round += 1) {
    await until(watched);
    using slow = watchSlowness(() => world.client.workflowService.getSystemInfo({}));
    const at = performance.now();
    await world.append.events(someEvents(1));
    await until(() => receiver.received.length === round);
    const tookMs = (receiver.received.at(-1)?.at ?? Infinity) - at;
    quickest = Math.min(quickest, tookMs - slow.ms());
  }
  expect(quickest).toBeLessThan(1_000);
  const woken = receiver.received.length;
  await until(watched);
  await world.append.events(someEvents(2));
  await until(() => receiver.received.length === woken + 2);
});

test.concurrent('two consumers on two targets both get everything', async () => {
  await using world = await openWorld();
  await using one = await openReceiver();
  await using two = await openReceiver();
  await world.consumer(await world.target(one.url));
  await world.consumer(await world.target(two.url));
  await world.append.events(someEvents(200));
  await until(() => one.received.length >= 200 && two.received.length >= 200);
  for (const { received } of [one, two])
    expect(new Set(received.map((each) => each.position)).size).toBe(200);
});

test.concurrent('a deleted consumer sends nothing more and its workflow ends', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const consumer = await world.consumer(await world.target(receiver.url));
  expect((await world.api.request('DELETE', `/v1/consumers/${consumer}`)).status).toBe(204);
  await world.append.events(someEvents(10));
  await until(async () => (await world.handle(consumer).describe()).status.name === 'COMPLETED');
  expect((await world.api.request('GET', `/v1/consumers/${consumer}`)).status).toBe(404);
  expect(receiver.received).toEqual([]);
});

test.concurrent("after a change of a target's URL the new one is used immediately", async () => {
  await using world = await openWorld();
  await using one = await openReceiver();
  await using two = await openReceiver();
  const target = await world.target(one.url);
  const consumer = await world.consumer(target);
  await world.append.events(someEvents(5));
  await until(() => one.received.length === 5);
  const { status } = await world.api.request('PATCH', `/v1/targets/${target}`, {
    base_url: two.url,
  });
  expect(status).toBe(200);
  await until(async () => {
    const { rows } = await world.db.query<{ taken: boolean }>(
      'select seen_version >= version as taken from cursors join consumers on id = consumer_id',
    );
    return rows[0]?.taken;
  });
  await until(async () => {
    await world.append.events(someEvents(1));
    return two.received.length > 0;
  });
  await world.caughtUp(consumer);
  expect(one.received.length + two.received.length).toBe(
    new Set([...one.received, ...two.received].map((each) => each.position)).size,
  );
});
