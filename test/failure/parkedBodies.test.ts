import { expect, test } from 'vitest';

import { createParkedEntries } from '../../src/failure/parkedEntries.ts';
import { createParkedStore, parkEntry } from '../../src/progress/parkedRows.ts';
import type { Failed } from '../../src/rules/outcome.ts';
import { openConsumersApi } from '../support/consumers.ts';

const FAILED: Failed = {
  kind: 'failed',
  code: 'HTTP_4XX',
  status: 400,
  detail: 'HTTP 400',
  responseHead: null,
  retryAfter: undefined,
};

test('a parked entry holds its body in memory only until the body is stored, and while the entry is tried', () => {
  let clock = 0;
  const parked = createParkedEntries({
    windowMs: 86_400_000,
    clock: () => clock,
    nowMs: () => clock,
    now: () => clock,
    rows: [],
    total: 0,
  });
  const body = 'ä'.repeat(500);
  const entry = {
    position: 1,
    messageId: 'm',
    syncId: 's',
    collectionId: 'a:b',
    upstreamId: 'u',
    event: 'updated' as const,
    at: '',
    body,
    bytes: 1_000,
    superseded: false,
    traceparent: null,
  };
  const held = (): number => parked.bodies.bytes;
  const handOut = (): Parameters<typeof parked.load>[0] => {
    clock += 3_600_000;
    const [one] = parked.due();
    if (one === undefined) throw new Error('nothing is due');
    return one;
  };

  parked.park(entry, 'r', 2, FAILED);
  expect(held()).toBe(1_000);
  expect(parked.toStore()?.inserts[0]?.body).toBe(body);
  expect(held()).toBe(1_000); // it may have to be stored once more
  parked.committed();
  expect(held()).toBe(0);

  const first = handOut();
  parked.load(first, { body, superseded: false });
  expect(held()).toBe(1_000);
  parked.starts(first);
  parked.failed(first, FAILED, { blame: 'message', mayDie: true });
  expect([held(), first.entry.body]).toEqual([0, '']);
  const second = handOut();
  parked.load(second, { body, superseded: false });
  parked.starts(second);
  parked.delivered(second);
  expect(held()).toBe(0);
  expect(entry.body).toBe(body); // that of the tail is left alone
});

test('no more bodies of due entries are read than memory allows, and at least one is', async () => {
  await using opened = await openConsumersApi();
  const { db } = opened.api;
  const { id } = (await opened.create()) as { id: string };
  for (const position of [1, 2, 3]) {
    const entry = {
      position,
      messageId: `m${position}`,
      syncId: 's',
      collectionId: 'a:b',
      upstreamId: `u${position}`,
      event: 'updated' as const,
      body: 'ä'.repeat(500),
      traceparent: null,
    };
    expect(await parkEntry(db, id, { entry, at: new Date() })).toBe(true);
  }
  const { bodies } = createParkedStore(db);
  const read = async (maxBytes: number) =>
    [...(await bodies(id, [3, 2, 1, 9], maxBytes))].sort(([a], [b]) => a - b);
  const loaded = { body: 'ä'.repeat(500), superseded: false };
  expect(await read(1)).toEqual([
    [1, loaded],
    [2, null],
    [3, null],
  ]);
  expect(await read(1_001)).toEqual([
    [1, loaded],
    [2, loaded],
    [3, null],
  ]);
  expect(await read(10_000)).toEqual([
    [1, loaded],
    [2, loaded],
    [3, loaded],
  ]);
});
