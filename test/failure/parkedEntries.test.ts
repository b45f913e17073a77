import { expect, test } from 'vitest';

import { endsBy } from '../../src/delivery/ending.ts';
import { createParkedEntries, type ParkedEntries } from '../../src/failure/parkedEntries.ts';
import { createReadyQueue } from '../../src/flow/readyQueue.ts';
import type { ParkedRow } from '../../src/progress/parkedRows.ts';
import { failed } from '../../src/rules/outcome.ts';
import type { Entry } from '../../src/streams/entry.ts';
import { until } from '../support/poll.ts';
import { openReceiver } from '../support/receiver.ts';
import { openWorld, someEvents } from '../support/world.ts';

const HOUR = 3_600_000;
const refused = { ...failed('HTTP_4XX', 'HTTP 400'), status: 400 };

function openParking(rows: ParkedRow[] = []) {
  const time = { now: 0 };
  const parking = createParkedEntries({
    windowMs: 24 * HOUR,
    clock: () => time.now,
    nowMs: () => time.now,
    rows,
    total: 0,
  });
  return { time, parking };
}

function row(position: number, more: Partial<ParkedRow> = {}): ParkedRow {
  return {
    position,
    message_id: `m-${position}`,
    sync_id: 's',
    collection_id: 'a:b',
    upstream_id: `u-${position}`,
    event: 'updated',
    attempts: 3,
    tries: 0,
    parked_at: '2026-01-01T00:00:00Z',
    parked_ms: 0,
    due_ms: -1,
    last_failure: null,
    ...more,
  };
}

/** The ones that are due, with their bodies read, as they go out. */
function send(parking: ParkedEntries): number[] {
  return parking
    .due()
    .filter((one) => parking.load(one, { body: '{}', superseded: false }) && parking.starts(one))
    .map((one) => one.entry.position);
}

test('a parked entry that was delivered does not come back by a reading that is older than its end', () => {
  const { parking } = openParking([row(1), row(2)]);
  const [first] = parking.due();
  expect(parking.load(first!, { body: '{}', superseded: false })).toBe(true);
  parking.delivered(first!);
  expect(parking.merge([row(1), row(2)])).toBe(false); // asked to read again
  expect(parking.size).toBe(1);
  expect(parking.toStore()?.deletes.map((one) => one.position)).toEqual([1]);
  expect(parking.merge([row(1)])).toBe(false); // on its way to Postgres
  parking.committed();
  expect(parking.merge([row(1)])).toBe(true); // what is there now was put back by someone
  expect(parking.size).toBe(2);
});

test('of two entries of one record that are sent again at once, the second follows when the first is taken', () => {
  const last_failure = { code: 'HTTP_4XX', detail: 'HTTP 422', status: 422 } as const;
  const { parking } = openParking([
    row(1, {
      upstream_id: 'u',
      last_failure: { ...last_failure, at: '2026-01-01T00:00:00Z', response_head: null },
    }),
    row(2, {
      upstream_id: 'u',
      last_failure: { ...last_failure, at: '2026-01-01T00:00:00Z', response_head: null },
    }),
  ]);
  const [first] = parking.due();
  expect(first?.entry.position).toBe(1);
  expect(parking.due()).toEqual([]);
  parking.delivered(first!);
  expect(send(parking)).toEqual([2]);
});

test('one that is in flight when an edit removes it is sent no more after that, and its record goes on', () => {
  const { parking } = openParking([
    row(1, { upstream_id: 'u', event: 'created' }),
    row(2, { upstream_id: 'u', due_ms: null }),
    row(3, { event: 'created' }),
  ]);
  const due = parking.due();
  for (const one of due) parking.load(one, { body: '{}', superseded: false });
  const [flying, waiting] = due;
  expect(parking.starts(flying!)).toBe(true);
  parking.keepOnly((entry: Entry) => entry.event !== 'created');
  expect(parking.starts(waiting!)).toBe(false);
  expect(send(parking)).toEqual([]); // the other one of the record waits for what is in flight
  expect(parking.failed(flying!, refused, true)).toBeNull();
  expect(send(parking)).toEqual([2]);
  expect(parking.size).toBe(1);
});

test('the schedule of a parked entry follows its tries in this window, not those of its life', () => {
  const { parking, time } = openParking([row(1, { attempts: 40 })]);
  const [one] = parking.due();
  const next = parking.failed(one!, refused, true);
  expect(next).toBeLessThan(1_000);
  expect(one?.attempts).toBe(41); // what the endpoint sees goes on rising
  time.now = 24 * HOUR;
  expect(parking.due()).toHaveLength(1);
  expect(parking.failed(one!, refused, true)).toBeNull();
  expect(parking.toStore()?.deletes[0]?.died_at).not.toBeNull();
});

test('while anything is on its way the next due time is now, never "none"', () => {
  const { parking } = openParking([row(1)]);
  expect(parking.due()).toHaveLength(1);
  expect(parking.nextDue).toBe(0);
});

test('parked entries and new ones take turns, also with one request at a time', () => {
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

test('of several verdicts 410 counts most, and a fenced sender has none', () => {
  expect(endsBy('gone', 'blocked')).toBe('gone');
  expect(endsBy('blocked', 'gone')).toBe('gone');
  expect(endsBy('blocked', 'changed')).toBe('blocked');
  expect(endsBy('gone', 'fenced')).toBe('fenced');
  expect(endsBy('goes on', null)).toBeNull();
});

test('a large edit that changes nothing does not leave the sender on hold', async () => {
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

test('a consumer deleted with its target right after it leaves no workflow behind', async () => {
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
