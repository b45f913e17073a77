import { expect, test } from 'vitest';

import { endsBy } from '../../src/delivery/ending.ts';
import { createParkedEntries, type ParkedEntries } from '../../src/failure/parkedEntries.ts';
import { toParked } from '../../src/failure/parkedEntry.ts';
import { createReadyQueue } from '../../src/flow/readyQueue.ts';
import type { ParkedHead } from '../../src/progress/parkedRows.ts';
import { failed } from '../../src/rules/outcome.ts';
import type { Entry } from '../../src/streams/entry.ts';
import { parkedRow, refusal } from '../support/parkedRows.ts';
import { until } from '../support/poll.ts';
import { openReceiver } from '../support/receiver.ts';
import { openWorld, someEvents } from '../support/world.ts';

const HOUR = 3_600_000;
const MESSAGE = { blame: 'message', mayDie: true } as const;
const refused = { ...failed('HTTP_4XX', 'HTTP 400'), status: 400 };

function openParked(rows: ParkedHead[] = []) {
  const time = { now: 0 };
  const parked = createParkedEntries({
    windowMs: 24 * HOUR,
    clock: () => time.now,
    nowMs: () => time.now,
    now: Date.now,
    rows,
    total: 0,
  });
  return { time, parked };
}

/** The ones that are due, with their bodies read, as they go out. */
function send(parked: ParkedEntries): number[] {
  return parked
    .due()
    .filter((one) => parked.load(one, { body: '{}', superseded: false }) && parked.starts(one))
    .map((one) => one.entry.position);
}

test('a parked entry that was delivered does not come back when rows are merged that were read before its end', () => {
  const { parked } = openParked([parkedRow(1), parkedRow(2)]);
  const [first] = parked.due();
  expect(parked.load(first!, { body: '{}', superseded: false })).toBe(true);
  parked.delivered(first!);
  expect(parked.merge([parkedRow(1), parkedRow(2)])).toBe(false); // asked to read again
  expect(parked.size).toBe(1);
  expect(parked.toStore()?.deletes.map((one) => one.position)).toEqual([1]);
  expect(parked.merge([parkedRow(1)])).toBe(false); // on its way to Postgres
  parked.committed();
  expect(parked.merge([parkedRow(1)])).toBe(true); // what is there now was put back by someone
  expect(parked.size).toBe(2);
});

test('of two entries of one record that are retried at the same time, the second follows once the first is accepted', () => {
  const { parked } = openParked([
    parkedRow(1, { upstream_id: 'u', last_failure: refusal }),
    parkedRow(2, { upstream_id: 'u', last_failure: refusal }),
  ]);
  const [first] = parked.due();
  expect(first?.entry.position).toBe(1);
  expect(parked.due()).toEqual([]);
  parked.delivered(first!);
  expect(send(parked)).toEqual([2]);
});

test('an entry that is in flight when a filter edit removes it is not sent again, and its record continues', () => {
  const { parked } = openParked([
    parkedRow(1, { upstream_id: 'u', event: 'created' }),
    parkedRow(2, { upstream_id: 'u', due_ms: null }),
    parkedRow(3, { event: 'created' }),
  ]);
  const due = parked.due();
  for (const one of due) parked.load(one, { body: '{}', superseded: false });
  const [flying, waiting] = due;
  expect(parked.starts(flying!)).toBe(true);
  parked.keepOnly((entry: Entry) => entry.event !== 'created');
  expect(parked.starts(waiting!)).toBe(false);
  expect(send(parked)).toEqual([]); // the other one of the record waits for what is in flight
  expect(parked.failed(flying!, refused, MESSAGE)).toBeNull();
  expect(parked.toStore()?.updates).toMatchObject([{ position: 2, due_ms: 0 }]); // its turn
  expect(send(parked)).toEqual([2]);
  expect(parked.size).toBe(1);
});

test('the schedule of a parked entry depends on how long it has failed in this window, not on the number of its attempts', () => {
  const { parked, time } = openParked([parkedRow(1, { attempts: 40 })]);
  time.now = 2 * HOUR; // it waited behind an earlier one
  const [one] = parked.due();
  const next = parked.failed(one!, refused, MESSAGE);
  expect(next).toBeLessThan(2 * HOUR + 1_000);
  expect(one?.attempts).toBe(41); // what the endpoint sees goes on rising
  time.now = next!;
  const after = parked.failed(parked.due()[0]!, refused, MESSAGE)!;
  expect(after).toBeGreaterThan(time.now + 4_000);
  for (let commands = 0; commands < 13; commands += 1) {
    time.now += 100;
    parked.toStore();
    parked.committed();
    parked.merge([parkedRow(1, { due_ms: -1 })]); // by the command `retry`
    expect(parked.failed(parked.due()[0]!, refused, MESSAGE)).toBe(after);
  }
});

/** The stored row of an entry, as the next sender reads it. */
function handedOn(parked: ParkedEntries): ParkedHead {
  const [row] = parked.toStore()?.updates ?? [];
  if (row === undefined) throw new Error('nothing has changed');
  parked.committed();
  return { ...row, followed: false };
}

test('an entry is given up when the attempt fails that was planned as the last of its window', () => {
  const before = 24 * HOUR - 65_000;
  const { parked, time } = openParked([parkedRow(1, { failing_ms: 0, due_ms: before })]);
  time.now = before;
  const last = parked.failed(parked.due()[0]!, refused, MESSAGE);
  expect(last).toBe(24 * HOUR - 30_000);
  time.now = last! + 50;
  expect(parked.failed(parked.due()[0]!, refused, MESSAGE)).toBeNull();
  expect(parked.toStore()?.deletes[0]?.died_at).not.toBeNull();
});

test.each<[what: string, row: Partial<ParkedHead>]>([
  ['was not tried within its window', { failing_ms: 0, due_ms: HOUR, last_failure: refusal }],
  ['has waited behind an earlier entry of its record', { failing_ms: null, due_ms: 0 }],
])('an entry that %s is not given up after one failure, even by another sender', (_what, row) => {
  const first = openParked([parkedRow(1, row)]);
  first.time.now = 25 * HOUR;
  const again = first.parked.failed(first.parked.due()[0]!, refused, MESSAGE);
  expect(again).toBe(25 * HOUR + 250);
  const next = openParked([handedOn(first.parked)]);
  next.time.now = again!;
  expect(next.parked.failed(next.parked.due()[0]!, refused, MESSAGE)).toBeNull();
  expect(next.parked.toStore()?.deletes[0]?.died_at).not.toBeNull();
});

test('an entry that fails in an unplanned attempt shortly before the end of its window is tried once more at the end', () => {
  const { parked, time } = openParked([parkedRow(1)]);
  time.now = 24 * HOUR - 50_000;
  const last = parked.failed(parked.due()[0]!, refused, MESSAGE);
  expect(last).toBe(24 * HOUR - 30_000);
  time.now = last!;
  expect(parked.failed(parked.due()[0]!, refused, MESSAGE)).toBeNull();
});

test('an entry that fails because of its endpoint after its window is tried again before it is given up', () => {
  const { parked, time } = openParked([parkedRow(1, { failing_ms: 0, last_failure: refusal })]);
  time.now = 25 * HOUR;
  const blamed = { blame: 'endpoint', mayDie: false } as const;
  expect(parked.failed(parked.due()[0]!, refused, blamed)).toBe(25 * HOUR);
  expect(parked.failed(parked.due()[0]!, refused, MESSAGE)).toBe(25 * HOUR + 250);
});

test('a newly parked entry waits about 5 s, and one that an older version parked continues by its window', () => {
  const { parked, time } = openParked([parkedRow(1, { failing_ms: 0, attempts: 9 })]);
  time.now = 1_000_000;
  const next = parked.failed(parked.due()[0]!, refused, MESSAGE)!;
  expect(next).toBeGreaterThanOrEqual(1_275_500 * 0.9);
  expect(next).toBeLessThanOrEqual(1_275_500 * 1.1);
  const entry = { ...toParked(parkedRow(2)).entry, body: '{}' };
  parked.park(entry, 'r', 3, refused);
  expect(parked.nextDue - time.now).toBeGreaterThan(4_000);
  expect(parked.nextDue - time.now).toBeLessThan(6_000);
});

test('an attempt without an outcome keeps the turn of its record', () => {
  const { parked } = openParked(
    [1, 2].map((position) => parkedRow(position, { upstream_id: 'u' })),
  );
  const [one] = parked.due();
  parked.load(one!, { body: '{}', superseded: false });
  parked.starts(one!);
  expect(parked.lands(one!)).toBe(true);
  expect(parked.due()).toEqual([]); // neither is it handed out twice, nor the one behind it
  expect(parked.starts(one!)).toBe(true);
  parked.keepOnly((entry: Entry) => entry.position !== 1);
  expect(parked.size).toBe(2); // it is in flight
  expect([parked.lands(one!), parked.lands(one!)]).toEqual([false, false]);
  expect(send(parked)).toEqual([2]);
});

test('an entry whose request has ended is dropped as soon as it no longer passes the filter', () => {
  const { parked } = openParked([parkedRow(1)]);
  const [one] = parked.due();
  parked.starts(one!);
  parked.lands(one!);
  parked.keepOnly(() => false);
  expect([parked.size, parked.starts(one!)]).toEqual([0, false]);
});

test('an entry whose stored row says to try it now is due, unless it is on its way or has changed since', () => {
  const { parked } = openParked([1, 2, 3].map((position) => parkedRow(position)));
  const [failing, waiting, out] = parked.due();
  parked.postpone(waiting!, 9_000);
  const next = parked.failed(failing!, refused, MESSAGE);
  expect(parked.merge([1, 2, 3].map((position) => parkedRow(position)))).toBe(true);
  expect([failing!.due, waiting!.due, out!.due]).toEqual([next, 0, -1]);
  expect(send(parked)).toEqual([2]);
});

test('an entry whose body could not be read is tried later, unless it has ended meanwhile', () => {
  const { parked, time } = openParked([parkedRow(1), parkedRow(2)]);
  const [kept, dropped] = parked.due();
  parked.keepOnly((entry: Entry) => entry.position !== 2);
  parked.postpone(kept!, 1_000);
  parked.postpone(dropped!, 500);
  parked.delivered(dropped!);
  expect([parked.due(), parked.nextDue, parked.size]).toEqual([[], 1_000, 1]);
  time.now = 1_000;
  expect(send(parked)).toEqual([1]);
  expect(parked.toStore()?.deletes.map((one) => one.position)).toEqual([2]);
});

test('an entry whose row is gone, or which is superseded by a newer version, is not sent', () => {
  const { parked } = openParked([1, 2, 3].map((position) => parkedRow(position)));
  const [gone, superseded, wanted] = parked.due();
  expect(parked.load(gone!, undefined)).toBe(false);
  expect(parked.load(superseded!, { body: '{}', superseded: true })).toBe(false);
  expect(parked.load(wanted!, { body: '{}', superseded: false })).toBe(true);
  expect(parked.size).toBe(1);
});

test('an entry that may not be given up yet is due immediately after its window', () => {
  const { parked, time } = openParked([parkedRow(1)]);
  time.now = 25 * HOUR;
  const one = parked.first();
  expect(parked.failed(one!, refused, { ...MESSAGE, mayDie: false })).toBe(time.now);
  expect(parked.due()).toEqual([one]);
});

test('while an entry is on its way, the next due time is now, never "none"', () => {
  const { parked } = openParked([parkedRow(1)]);
  expect(parked.due()).toHaveLength(1);
  expect(parked.nextDue).toBe(0);
});

test('parked entries and new ones take turns, even with one request at a time', () => {
  const ready = createReadyQueue<{ position: number; parked: object | null; sent: boolean }>();
  const slot = (position: number, parked: boolean) => ({
    position,
    parked: parked ? {} : null,
    sent: false,
  });
  for (const position of [1, 2, 3, 4]) ready.push(slot(position, false));
  for (const position of [102, 101]) ready.putBack(slot(position, true));
  const order = Array.from({ length: 6 }, () => ready.next()?.position);
  expect(order).toEqual([1, 101, 2, 102, 3, 4]);
});

test('of several verdicts 410 takes precedence, and a fenced sender has none', () => {
  expect(endsBy('gone', 'blocked')).toBe('gone');
  expect(endsBy('blocked', 'gone')).toBe('gone');
  expect(endsBy('blocked', 'changed')).toBe('blocked');
  expect(endsBy('gone', 'fenced')).toBe('fenced');
  expect(endsBy('goes on', null)).toBeNull();
});

test('a large filter edit that changes nothing does not leave the sender on hold', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const syncs = Array.from({ length: 600 }, (_, index) => `sync-${index}`);
  const consumer = await world.consumer(await world.target(receiver.url), { syncs });
  await world.append.events(someEvents(1));
  await until(() => receiver.received.length === 1);
  const path = `/v1/consumers/${consumer}/filter`;
  const edited = await world.api.request('POST', path, { add: { syncs } });
  expect(edited.status).toBe(200);
  const { rows } = await world.db.query<{ held: boolean }>('select held from consumers');
  expect(rows).toEqual([{ held: false }]);
  await world.append.events(someEvents(1));
  await until(() => receiver.received.length === 2);
});

test('a consumer whose target is deleted right after it leaves no workflow behind', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver((_one, response) => response.writeHead(503).end());
  const target = await world.target(receiver.url);
  const consumer = await world.consumer(target);
  await world.append.events(someEvents(1));
  await world.becomes(consumer, 'blocked');
  expect((await world.api.request('DELETE', `/v1/consumers/${consumer}`)).status).toBe(204);
  expect((await world.api.request('DELETE', `/v1/targets/${target}`)).status).toBe(204);
  await until(async () => (await world.handle(consumer).describe()).status.name === 'COMPLETED');
});
