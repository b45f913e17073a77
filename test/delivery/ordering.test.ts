import fc from 'fast-check';
import { expect, test } from 'vitest';

import { createLanes } from '../../src/flow/lanes.ts';
import { createSlidingWindow, type Slot } from '../../src/flow/slidingWindow.ts';
import { laneOf, type Recorded } from '../../src/rules/ordering.ts';
import type { Ordering } from '../../src/schema/consumer.ts';

interface Entry extends Recorded {
  position: number;
  bytes: number;
}

const GONE: Entry = {
  position: 0,
  bytes: 0,
  syncId: '',
  collectionId: '',
  upstreamId: '',
};
const text = fc.string({ minLength: 1, maxLength: 3 }).filter((one) => !one.includes('\u0000'));
const recorded: fc.Arbitrary<Recorded> = fc.record({
  syncId: text,
  collectionId: text,
  upstreamId: text,
});
/** Few values, so that entries of one record meet. */
const few = fc.record({
  syncId: fc.constantFrom('s', 't'),
  collectionId: fc.constant('a:b'),
  upstreamId: fc.constantFrom('1', '2', '3'),
});
type Step = { kind: 'add'; entry: Recorded } | { kind: 'settle'; which: number };
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('add'), entry: few }),
    fc.record({ kind: fc.constant('settle'), which: fc.nat() }),
  ),
  { maxLength: 100 },
);

/** Adds and settles as told, then settles until nothing is sendable; returns the order of sending. */
function run(ordering: Ordering, told: Step[], sendable: (open: Entry[]) => void): Entry[] {
  const lanes = createLanes<Entry>(ordering);
  const window = createSlidingWindow<Entry>({ position: 0, ahead: [] }, GONE);
  const open: Slot<Entry>[] = [];
  const sent: Entry[] = [];
  let position = 0;

  function send(slot: Slot<Entry> | null): void {
    if (slot === null) return;
    open.push(slot);
    sent.push(slot.entry);
    sendable(open.map((one) => one.entry));
  }

  function settle(which: number): void {
    const [slot] = open.splice(which % open.length, 1);
    if (slot !== undefined) send(lanes.settle(slot));
  }

  for (const one of told) {
    if (one.kind === 'add') {
      const entry = { ...one.entry, position: (position += 1), bytes: 1 };
      const slot = window.add(entry, laneOf(ordering, entry)) as Slot<Entry>;
      if (lanes.add(slot)) send(slot);
    } else if (open.length > 0) settle(one.which);
  }
  while (open.length > 0) settle(0);
  return sent;
}

function added(told: Step[]): number {
  return told.filter((one) => one.kind === 'add').length;
}

function recordOf({ syncId, collectionId, upstreamId }: Recorded): string {
  return JSON.stringify([syncId, collectionId, upstreamId]);
}

test('ordering "record": never two entries of one record at a time, each record in order, and every entry gets its turn', () => {
  fc.assert(
    fc.property(steps, (told) => {
      const sent = run('record', told, (open) => {
        const records = open.map(recordOf);
        expect(records).toEqual([...new Set(records)]);
      });
      expect(sent).toHaveLength(added(told));
      const last = new Map<string, number>();
      for (const entry of sent) {
        expect(entry.position).toBeGreaterThan(last.get(recordOf(entry)) ?? 0);
        last.set(recordOf(entry), entry.position);
      }
    }),
  );
});

test('ordering "record": different records never wait for one another', () => {
  fc.assert(
    fc.property(fc.uniqueArray(recorded, { selector: recordOf, maxLength: 30 }), (entries) => {
      const told = entries.map((entry): Step => ({ kind: 'add', entry }));
      let most = 0;
      run('record', told, (open) => (most = Math.max(most, open.length)));
      expect(most).toBe(entries.length);
    }),
  );
});

test('ordering "stream": strictly one after another', () => {
  fc.assert(
    fc.property(steps, (told) => {
      const sent = run('stream', told, (open) => expect(open).toHaveLength(1));
      expect(sent.map(({ position }) => position)).toEqual(
        Array.from({ length: added(told) }, (_, index) => index + 1),
      );
    }),
  );
});

test('ordering "none": nothing waits', () => {
  fc.assert(
    fc.property(steps, (told) => {
      const adds = told.filter((one) => one.kind === 'add');
      let most = 0;
      run('none', adds, (open) => (most = Math.max(most, open.length)));
      expect(most).toBe(adds.length);
    }),
  );
});

/** Values that run into one another unless something separates them. */
const alike = fc.string({ unit: fc.constantFrom('a'), minLength: 1, maxLength: 3 });
const confusable = fc.record({ syncId: alike, collectionId: alike, upstreamId: alike });

test('two entries share a lane exactly when they belong to the same record', () => {
  fc.assert(
    fc.property(fc.oneof(recorded, confusable), confusable, (one, other) => {
      const same = recordOf(one) === recordOf(other);
      expect(laneOf('record', one) === laneOf('record', other)).toBe(same);
    }),
  );
});
