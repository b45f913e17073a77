import pino from 'pino';
import { expect, test } from 'vitest';

import type { Pages } from '../../src/streams/pages.ts';
import { createTail } from '../../src/streams/tail.ts';
import { until } from '../support/poll.ts';
import { anEvent, openStreams } from '../support/streams.ts';

test('a follower that joins while the last reading for earlier followers is in progress misses nothing', async () => {
  await using streams = await openStreams();
  const { appender, listener } = streams;
  const append = (count: number) => appender.events(Array.from({ length: count }, () => anEvent()));
  let gate: Promise<void> | null = null;
  let waiting = false;
  // Real pages, but one answer is held back as a slow network would.
  const pages: Pages = {
    ...streams.pages,
    read: async (request) => {
      const page = await streams.pages.read(request);
      if (gate !== null) {
        waiting = true;
        await gate;
      }
      return page;
    },
  };
  const log = pino({ level: 'silent' });
  const tail = createTail({ stream: 'events', pages, listener, pollMs: 60_000, log });
  try {
    await append(5);
    const first = tail.follow(() => undefined);
    await until(() => tail.end === 5);
    await append(5);
    await until(() => tail.end === 10);

    const { promise, resolve } = Promise.withResolvers<void>();
    gate = promise;
    await append(1);
    await until(() => waiting);
    first(); // the last one goes idle
    const second = tail.follow(() => undefined); // and another one wakes
    gate = null;
    resolve();
    await until(() => tail.end === 11);
    const since = tail.since(7, 100);
    // Either memory does not go back that far, or it has all of it.
    const seen = since?.entries.slice(since.from, since.to).map((entry) => entry.position);
    expect(seen ?? [8, 9, 10, 11]).toEqual([8, 9, 10, 11]);
    second();
  } finally {
    tail.close();
  }
});

test('a follower of a few syncs is called for these alone, and still sees how far the tail has read', async () => {
  await using streams = await openStreams();
  const { appender, listener, pages } = streams;
  const log = pino({ level: 'silent' });
  const tail = createTail({ stream: 'events', pages, listener, pollMs: 60_000, log });
  const calls = { mine: 0, others: 0, all: 0 };
  const of = (syncId: string) => anEvent({ syncId });
  try {
    tail.follow(() => (calls.mine += 1), ['mine', 'more']);
    const leave = tail.follow(() => (calls.others += 1), ['others']);
    tail.follow(() => (calls.all += 1), null);
    await until(() => tail.end === 0);
    const before = { ...calls };
    await appender.events([of('mine'), of('more'), of('nobody')]);
    await until(() => tail.end === 3);
    expect(calls).toEqual({ ...before, mine: before.mine + 1, all: before.all + 1 });
    expect(tail.since(0, 10)?.scannedTo).toBe(3);
    leave();
    await appender.events([of('others')]);
    await until(() => tail.end === 4);
    expect(calls.others).toBe(before.others);
  } finally {
    tail.close();
  }
});

test('while followers are being called for a page, the tail has read further than it has told all of them', async () => {
  await using streams = await openStreams();
  const { appender, listener, pages } = streams;
  const log = pino({ level: 'silent' });
  const tail = createTail({ stream: 'events', pages, listener, pollMs: 60_000, log });
  const seen: (number | null)[][] = [];
  try {
    expect(tail.told).toBeNull();
    tail.follow((before) => void seen.push([before, tail.told, tail.end]), ['mine']);
    await until(() => tail.told === 0);
    seen.length = 0;
    await appender.events([anEvent({ syncId: 'other' }), anEvent({ syncId: 'mine' })]);
    await until(() => tail.told === 2);
    expect(seen).toEqual([[0, 0, 2]]);
  } finally {
    tail.close();
  }
});

test('while no follower would be called, a tail reads a few times a second, and immediately once such a follower joins', async () => {
  await using streams = await openStreams();
  const { appender, listener } = streams;
  let reads = 0;
  const pages: Pages = {
    ...streams.pages,
    read: (request) => {
      reads += 1;
      return streams.pages.read(request);
    },
  };
  const log = pino({ level: 'silent' });
  const tail = createTail({ stream: 'events', pages, listener, pollMs: 60_000, log });
  try {
    tail.follow(() => undefined, []); // as a lane of visits does
    await until(() => tail.end === 0);
    const before = reads;
    const from = performance.now();
    for (let count = 0; count < 100; count += 1) await appender.events([anEvent()]);
    await until(() => tail.end === 100);
    expect(reads - before).toBeLessThanOrEqual(2 + (performance.now() - from) / 100);

    await appender.events([anEvent({ syncId: 'mine' })]);
    const asked = performance.now();
    let called = false;
    tail.follow(() => (called = true), ['mine']);
    await until(() => called || tail.end === 101);
    expect(tail.since(100, 10)?.scannedTo).toBe(101);
    expect(performance.now() - asked).toBeLessThan(5_000); // far from the next poll
  } finally {
    tail.close();
  }
});
