import fc from 'fast-check';
import { expect, test } from 'vitest';

import { HELD_OF_RECORD } from '../../src/failure/heldLanes.ts';
import { createParkedEntries, type ParkedEntries } from '../../src/failure/parkedEntries.ts';
import {
  createParkedStore,
  recordOfRow,
  type ParkedHead,
  type ParkedOps,
  type ParkedRow,
} from '../../src/progress/parkedRows.ts';
import { failed } from '../../src/rules/outcome.ts';
import { parkedRow } from '../support/parkedRows.ts';
import { plansOf } from '../support/plans.ts';
import { until } from '../support/poll.ts';
import { accept, openReceiver, type Respond } from '../support/receiver.ts';
import { openWorld, someEvents } from '../support/world.ts';

const HOUR = 3_600_000;
const refused = { ...failed('HTTP_4XX', 'HTTP 400'), status: 400 };

/** What Postgres has of the parked entries of one sender. */
function createTable() {
  const rows = new Map<number, ParkedRow>();
  const sorted = (): ParkedRow[] => [...rows.values()].toSorted((a, b) => a.position - b.position);
  return {
    rows,
    apply: ({ inserts, updates, deletes }: ParkedOps) => {
      for (const row of [...inserts, ...updates]) {
        if (rows.has(row.position) || inserts.includes(row as never)) rows.set(row.position, row);
      }
      for (const { position } of deletes) rows.delete(position);
    },
    ofRecord: (record: string, limit: number) =>
      sorted()
        .filter((row) => recordOfRow(row) === record)
        .slice(0, limit),
    heads: (): ParkedHead[] => {
      const all = sorted();
      return all
        .filter((row, index) => {
          const isFirst = all.findIndex((one) => recordOfRow(one) === recordOfRow(row)) === index;
          return isFirst || row.due_ms !== null;
        })
        .map((row) => ({
          ...row,
          followed: all.some(
            (one) => recordOfRow(one) === recordOfRow(row) && one.position > row.position,
          ),
        }));
    },
  };
}

type Step =
  | { do: 'park'; record: number; behind: number }
  | { do: 'commit' | 'load' | 'restart' }
  | { do: 'send'; fails: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('park' as const),
      record: fc.nat(2),
      behind: fc.nat(50),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('commit' as const, 'load' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('send' as const), fails: fc.boolean() }) },
);

test('however many entries wait behind a failing one, few are held in memory, and all go out in order, once', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const table = createTable();
      let now = 0;
      const open = (): ParkedEntries =>
        createParkedEntries({
          windowMs: 24 * HOUR,
          clock: () => now,
          nowMs: () => now,
          now: () => now,
          rows: table.heads(),
          total: 0,
        });
      let parked = open();
      let position = 0;
      const sent: { record: string; position: number }[] = [];
      const all: number[] = [];

      function commit(): void {
        for (let ops = parked.toStore(); ops !== null; ops = parked.toStore()) {
          table.apply(ops);
          parked.committed();
        }
      }

      function load(): void {
        const records = parked.toLoad();
        if (parked.unwritten || records.length === 0) return;
        const rows = records.flatMap((one) => table.ofRecord(recordOfRow(one), HELD_OF_RECORD));
        parked.loadRecords(records, rows, HELD_OF_RECORD);
      }

      function send(fails: boolean): void {
        for (const one of parked.due()) {
          expect(table.rows.has(one.entry.position)).toBe(true);
          parked.load(one, { body: '{}', superseded: false });
          parked.starts(one);
          if (fails) parked.failed(one, refused, { blame: 'message', mayDie: true });
          else {
            sent.push({ record: one.record, position: one.entry.position });
            parked.delivered(one);
          }
        }
      }

      for (const one of steps) {
        now += 60_000;
        if (one.do === 'park') {
          const record = `r${one.record}`;
          const { message_id: messageId } = parkedRow(0);
          const key = recordOfRow(parkedRow(0, { upstream_id: record }));
          const behind = parked.has(key) ? one.behind : one.behind + 1;
          for (let index = 0; index < behind; index += 1) {
            position += 1;
            all.push(position);
            const entry = {
              position,
              messageId,
              syncId: 's',
              collectionId: 'a:b',
              upstreamId: record,
              event: 'updated' as const,
              at: '2026-01-01T00:00:00Z',
              body: '{}',
              bytes: 2,
              superseded: false,
              traceparent: null,
            };
            parked.park(entry, key, 1, parked.has(key) ? null : refused);
          }
        }
        if (one.do === 'commit') commit();
        if (one.do === 'load') load();
        if (one.do === 'send') send(one.fails);
        if (one.do === 'restart') {
          commit(); // what was not committed would be read again from the stream
          parked = open();
        }
        if (!parked.unwritten) expect(parked.size).toBeLessThanOrEqual(3 * (HELD_OF_RECORD + 1));
      }
      for (let round = 0; round < 10_000 && (table.rows.size > 0 || parked.unwritten); round += 1) {
        now += (2 * HOUR) / 10_000;
        commit();
        load();
        now += HOUR;
        send(false);
      }
      expect(sent.map((one) => one.position).toSorted((a, b) => a - b)).toEqual(all);
      for (const record of new Set(sent.map((one) => one.record))) {
        const order = sent.filter((one) => one.record === record).map((one) => one.position);
        expect(order).toEqual(order.toSorted((a, b) => a - b));
      }
      expect(parked.size).toBe(0);
    }),
    { numRuns: 300 },
  );
});

function refuseHot(one: { body: string }): boolean {
  return one.body.includes('"upstream_id":"hot"');
}

test('a refused record that is updated 10,100 times does not stop the consumer, and its entries arrive in order once it is accepted', async () => {
  await using world = await openWorld();
  const respond: Respond = (one, response) => {
    if (refuseHot(one)) response.writeHead(400).end();
    else accept(one, response);
  };
  await using receiver = await openReceiver(respond);
  const consumer = await world.consumer(await world.target(receiver.url));
  const hot = (from: number, count: number) =>
    someEvents(count, { records: 1, from }).map((one) => ({ ...one, upstreamId: 'hot' }));
  await world.append.events([...hot(0, 1), ...someEvents(20, { records: 20 })]);
  await until(async () => (await world.get(consumer)).parked === 1, { timeoutMs: 60_000 });
  for (let from = 1; from < 10_100; from += 1_000)
    await world.append.events(hot(from, Math.min(1_000, 10_100 - from)));
  await world.append.events(someEvents(20, { records: 20, from: 50_000 }));
  await world.caughtUp(consumer, 60_000);
  expect(await world.get(consumer)).toMatchObject({ status: 'active', parked: 10_100 });
  const others = (): number => receiver.received.filter((one) => !refuseHot(one)).length;
  expect(others()).toBe(40);
  const { rows } = await world.db.query<{ parked_total: number }>(
    'select parked_total from cursors',
  );
  expect(rows).toEqual([{ parked_total: 1 }]); // one record
  await world.db.query('analyze parked');
  const plans = await plansOf(world.db, async (sql) => {
    const store = createParkedStore(sql);
    const heads = await store.heads(consumer);
    expect(heads.map((one) => one.followed)).toEqual([true]);
    expect(await store.ofRecords(consumer, heads, HELD_OF_RECORD)).toHaveLength(HELD_OF_RECORD);
  });
  expect(plans).not.toMatch(/Seq Scan/u);
  for (const [, count] of plans.matchAll(/actual rows=([\d.]+)/gu))
    expect(Number(count)).toBeLessThanOrEqual(HELD_OF_RECORD); // what waits is not looked at
  receiver.respond = accept;
  await world.api.request('POST', `/v1/consumers/${consumer}/retry`);
  const taken = () => receiver.received.filter((one) => refuseHot(one) && one.status === 204);
  await until(() => taken().length >= 100, { timeoutMs: 60_000 });
  const order = taken().map((one) => one.position);
  expect(order).toEqual(order.toSorted((a, b) => a - b));
  expect(new Set(order).size).toBe(order.length);
}, 180_000);
