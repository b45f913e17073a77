import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { recordOf } from '../../src/rules/ordering.ts';
import { derive, type RecordChange, type RecordState } from '../../src/streams/derive.ts';
import { aChange } from '../support/streams.ts';

function ids(): () => string {
  let next = 0;
  return () => `id-${next++}`;
}

function one(stored: Partial<RecordState> | null, change: Partial<RecordChange>) {
  const { deleted, data, ...rest } = aChange();
  const before = {
    ...rest,
    deleted,
    data: data!,
    upstreamCreatedAt: null,
    upstreamUpdatedAt: null,
  };
  const list = stored === null ? [] : [{ ...before, ...stored }];
  const { records, events, counts } = derive(list, [[aChange(change)]], ids());
  return { record: records[0], event: events[0], counts: counts[0]! };
}

describe('the event that is derived from a change of a record', () => {
  test('an equal value is no change, however it is written', () => {
    const { record, event, counts } = one(
      { data: '{"a":1,"b":[2]}' },
      { data: '{"b":[2.0],"a":1}' },
    );
    expect({ record, event }).toEqual({ record: undefined, event: undefined });
    expect(counts).toEqual({ created: 0, updated: 0, deleted: 0, unchanged: 1, last: -1 });
  });

  test('an update has the previous values of the fields that changed', () => {
    const { event } = one(
      { data: '{"kept":1,"was":9007199254740993,"gone":[1]}' },
      { data: '{"kept":1,"was":9007199254740992,"new":true}' },
    );
    expect(event).toMatchObject({
      event: 'updated',
      changes: '{"was":9007199254740993,"gone":[1],"new":null}',
    });
  });

  test('an update between values that are not objects has no fields', () => {
    expect(one({ data: '[1]' }, { data: '[2]' }).event).toMatchObject({
      event: 'updated',
      changes: null,
    });
  });

  test('a deletion without data keeps the data', () => {
    const { record, event } = one({ data: '{"a":1}' }, { data: null, deleted: true });
    expect(record).toMatchObject({ data: '{"a":1}', deleted: true });
    expect(event).toMatchObject({ event: 'deleted', data: '{"a":1}', changes: null });
  });

  test('deleting an unknown record creates a tombstone', () => {
    const { record, event } = one(null, { data: null, deleted: true });
    expect(record).toMatchObject({ data: 'null', deleted: true });
    expect(event).toMatchObject({ event: 'deleted', data: 'null' });
  });

  test('deleting twice changes nothing', () => {
    expect(one({ deleted: true }, { data: null, deleted: true }).counts.unchanged).toBe(1);
  });

  test('a deleted record that is appended again is created, even with the same value', () => {
    expect(one({ deleted: true }, {}).event).toMatchObject({ event: 'created' });
  });

  test('upstream times that are left out are kept', () => {
    const stored = {
      upstreamCreatedAt: '2026-01-01T00:00:00Z',
      upstreamUpdatedAt: '2026-01-02T00:00:00Z',
    };
    expect(one(stored, { data: '2', upstreamUpdatedAt: null }).record).toMatchObject({
      upstreamCreatedAt: '2026-01-01T00:00:00Z',
      upstreamUpdatedAt: null,
    });
  });

  test('a merge keeps the fields that it does not give, with their exact text', () => {
    const { record, event } = one(
      { data: '{"price":1.10,"n":9007199254740993,"was":1}' },
      { data: '{"was":2,"new":[]}', merge: true },
    );
    expect(record?.data).toBe('{"price":1.10,"n":9007199254740993,"was":2,"new":[]}');
    expect(event).toMatchObject({ event: 'updated', changes: '{"was":1,"new":null}' });
  });

  test('a merge whose result is equal is no change', () => {
    const { record, event, counts } = one(
      { data: '{"a":1,"b":2}' },
      { data: '{"b":2.0}', merge: true },
    );
    expect({ record, event }).toEqual({ record: undefined, event: undefined });
    expect(counts.unchanged).toBe(1);
  });

  test('a merge on an unknown record creates it with what is given', () => {
    const { record, event } = one(null, { data: '{"a":1}', merge: true });
    expect(record).toMatchObject({ data: '{"a":1}', deleted: false });
    expect(event).toMatchObject({ event: 'created', changes: null });
  });

  test('a merge on a deleted record brings it back, with the fields that were kept', () => {
    const stored = { data: '{"a":1,"b":2}', deleted: true };
    const { record, event } = one(stored, { data: '{"b":2}', merge: true });
    expect(record).toMatchObject({ data: '{"a":1,"b":2}', deleted: false });
    expect(event).toMatchObject({ event: 'created', data: '{"a":1,"b":2}' });
  });

  test('a merge whose result is too large is refused, with the place of its change', () => {
    const half = `"${'x'.repeat(600_000)}"`;
    const refused = () =>
      derive(
        [],
        [
          [
            aChange({ data: `{"a":${half}}` }),
            aChange({ data: `{"a":${half}}`, merge: true }),
            aChange({ data: `{"b":${half}}`, merge: true }),
          ],
        ],
        ids(),
      );
    expect(refused).toThrow(
      expect.objectContaining({ name: 'RefusedEntry', index: 2, field: 'data' }),
    );
  });

  test('a group of changes has the same result as its changes applied one by one', () => {
    const change = fc
      .record({
        upstreamId: fc.constantFrom('a', 'b', 'c'),
        data: fc.constantFrom('1', '2', '{"x":1}', '{"x":2}', '{"y":1}'),
        merge: fc.boolean(),
        deleted: fc.boolean(),
      })
      .map((fields) => aChange({ ...fields, merge: fields.merge && !fields.deleted }));
    const requests = fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 6 });
    fc.assert(
      fc.property(requests, (list) => {
        const group = derive([], list, ids());
        const state = new Map<string, RecordState>();
        const moved: string[] = [];
        const events: object[] = [];
        for (const [index, changes] of list.entries()) {
          const count = { created: 0, updated: 0, deleted: 0, unchanged: 0 };
          for (const single of changes) {
            const alone = derive([...state.values()], [[single]], ids());
            for (const key of ['created', 'updated', 'deleted', 'unchanged'] as const) {
              count[key] += alone.counts[0]![key];
            }
            for (const { versionId: _, ...record } of alone.records) {
              state.set(recordOf(record), record);
              moved.push(recordOf(record));
            }
            events.push(...alone.events.map(({ eventId: _, ...event }) => event));
          }
          expect(group.counts[index]).toMatchObject(count);
        }
        const inOrder = [...new Set(moved.toReversed())].toReversed();
        expect(group.records.map(({ versionId: _, ...record }) => record)).toEqual(
          inOrder.map((key) => state.get(key)),
        );
        expect(group.events.map(({ eventId: _, ...event }) => event)).toEqual(events);
        const made = [
          ...group.records.map((r) => r.versionId),
          ...group.events.map((e) => e.eventId),
        ];
        expect(new Set(made).size).toBe(made.length);
      }),
    );
  });
});
