import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import {
  createBatchDispatcher,
  type BatchDispatcher,
  type BatchDispatcherOptions,
} from '../../src/flow/batchDispatcher.ts';
import { createBudget } from '../../src/flow/budget.ts';
import { createCohorts } from '../../src/flow/cohorts.ts';
import { createLanes } from '../../src/flow/lanes.ts';
import { createPace } from '../../src/flow/pace.ts';
import { createSlidingWindow, type Slot } from '../../src/flow/slidingWindow.ts';
import type { Ordering } from '../../src/schema/consumer.ts';

interface Entry {
  position: number;
  bytes: number;
}
interface Ready extends Slot<Entry> {
  parked: object | null;
  readyAt: number;
}

const LIMITS = { entries: 4, bytes: 1_000, waitMs: 200 };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A dispatcher with a window and lanes, which writes down the positions that it sends with each request. */
function openBatches(
  ordering: Ordering,
  options: Partial<BatchDispatcherOptions<Ready>> & { limits?: typeof LIMITS } = {},
) {
  const sent: Ready[][] = [];
  const window = createSlidingWindow<Entry>({ position: 0, ahead: [] }, { position: 0, bytes: 0 });
  const lanes = createLanes<Entry>(ordering);
  const cohorts = createCohorts<Ready>();
  const limit = { limit: 100 };
  const state = { last: false, hurries: false };
  let position = 0;
  const dispatcher: BatchDispatcher<Ready> = createBatchDispatcher<Ready>({
    limit,
    pace: createPace(null),
    requests: createBudget({ requests: 1_000, bytes: 1 }).requests,
    mayStart: () => true,
    takesLast: () => state.last,
    skips: (slot) => {
      if (slot.closed) settle(slot);
      return slot.closed;
    },
    send: (slots) => void sent.push(slots),
    pumped: () => undefined,
    limits: LIMITS,
    cohorts,
    nextOf: (slot) => slot.next as Ready | null,
    isOver: ({ closed }) => closed,
    sizeOf: ({ entry }) => entry.bytes,
    emptyBytes: 0,
    window,
    hurries: () => state.hurries,
    wake: () => dispatcher.pump(),
    ...options,
  });

  function add(lane: string, bytes = 1): Ready {
    position += 1;
    const slot = window.add({ position, bytes }, lane) as Ready;
    Object.assign(slot, { parked: null, readyAt: Math.trunc(performance.now()) });
    if (lanes.add(slot)) dispatcher.push(slot);
    return slot;
  }

  function settle(slot: Ready): void {
    window.settle(slot);
    const next = lanes.settle(slot) as Ready | null;
    if (next !== null && !next.sent) dispatcher.push(next);
  }

  function land(slots: Ready[]): void {
    dispatcher.landed(slots.length);
    for (const slot of slots) settle(slot);
    dispatcher.passOn();
  }

  const positions = () => sent.map((slots) => slots.map((slot) => slot.position));
  return { dispatcher, cohorts, sent, positions, add, land, limit, state };
}

describe('a batch', () => {
  test('that is full goes immediately; an incomplete one when its oldest entry has waited', () => {
    const { dispatcher, add, positions } = openBatches('none');
    for (let count = 0; count < 6; count += 1) add('');
    dispatcher.pump();
    expect(positions()).toEqual([[1, 2, 3, 4]]);
    expect(dispatcher.gathers).toBe(true);
    vi.advanceTimersByTime(150);
    add('');
    dispatcher.pump();
    expect(positions()).toHaveLength(1);
    vi.advanceTimersByTime(60);
    expect(positions()).toEqual([
      [1, 2, 3, 4],
      [5, 6, 7],
    ]);
    expect(dispatcher.gathers).toBe(false);
    expect(dispatcher.empty).toBe(true);
    expect([dispatcher.inFlight, dispatcher.sending]).toEqual([2, 7]);
  });

  test('that is filled while it waits goes immediately', () => {
    const { dispatcher, add, positions } = openBatches('none');
    for (let count = 0; count < 4; count += 1) {
      add('');
      dispatcher.pump();
    }
    expect(positions()).toEqual([[1, 2, 3, 4]]);
  });

  test('has no more bytes than the limit, and a larger entry goes alone', () => {
    const { dispatcher, add, positions } = openBatches('none');
    for (const bytes of [400, 400, 400, 2_000, 300, 300]) add('', bytes);
    dispatcher.pump();
    vi.advanceTimersByTime(250);
    expect(positions()).toEqual([[1, 2], [3], [4], [5, 6]]);
  });

  test('does not wait for others where none would find room', () => {
    const { dispatcher, add, positions } = openBatches('none');
    add('', 2_000);
    dispatcher.pump();
    expect(positions()).toEqual([[1]]);
    for (const bytes of [600, 399]) add('', bytes);
    dispatcher.pump();
    expect(positions()).toEqual([[1], [2, 3]]);
  });

  test('has entries of one lane in order, and leaves none of that lane to another batch meanwhile', () => {
    const { dispatcher, add, sent, positions, land } = openBatches('record');
    for (const lane of ['a', 'a', 'b', 'a', 'a', 'b', 'c', 'd']) add(lane);
    dispatcher.pump();
    expect(positions()).toEqual([[1, 2, 3, 4]]);
    vi.advanceTimersByTime(250);
    expect(positions()).toEqual([
      [1, 2, 3, 4],
      [7, 8],
    ]);
    land(sent[0]!);
    vi.advanceTimersByTime(250);
    dispatcher.pump();
    expect(positions().at(-1)).toEqual([5, 6]);
  });

  test('under "stream" has consecutive entries', () => {
    const { dispatcher, add, sent, positions, land, limit } = openBatches('stream');
    limit.limit = 1;
    for (let count = 0; count < 9; count += 1) add('stream');
    dispatcher.pump();
    land(sent[0]!);
    dispatcher.pump();
    expect(positions()).toEqual([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]);
    land(sent[1]!);
    vi.advanceTimersByTime(250);
    dispatcher.pump();
    expect(positions().at(-1)).toEqual([9]);
  });

  test('leaves out entries that an edit has closed', () => {
    const { dispatcher, add, positions } = openBatches('record');
    const slots = ['a', 'b', 'a', 'c', 'd', 'e'].map((lane) => add(lane));
    for (const index of [1, 2]) slots[index]!.closed = true;
    dispatcher.pump();
    expect(positions()).toEqual([[1, 4, 5, 6]]);
  });
});

test('entries that have failed together go again together, in batches of the size that is left, before others', () => {
  const { dispatcher, cohorts, add, sent, positions } = openBatches('none');
  for (let count = 0; count < 6; count += 1) add('');
  dispatcher.pump();
  const [failed] = sent as [Ready[]];
  dispatcher.landed(failed.length);
  cohorts.form(failed, 2, 0);
  dispatcher.putBackAll(failed);
  dispatcher.passOn();
  dispatcher.pump();
  expect(positions().slice(1)).toEqual([
    [1, 2],
    [3, 4],
  ]);
  vi.advanceTimersByTime(250);
  expect(positions().at(-1)).toEqual([5, 6]);
});

test('entries that wait in the lane of one that failed come with its cohort, not with others', () => {
  const { dispatcher, cohorts, add, sent, positions, land } = openBatches('record');
  for (const lane of ['a', 'a', 'a', 'a', 'a', 'b']) add(lane);
  dispatcher.pump();
  const [failed] = sent as [Ready[]];
  dispatcher.landed(failed.length);
  cohorts.form(failed, 2, 0);
  for (const slot of failed) slot.sent = false;
  dispatcher.putBackAll(failed.slice(0, 1)); // the others wait behind it
  dispatcher.passOn();
  dispatcher.pump();
  expect(positions().slice(1)).toEqual([[1, 2]]);
  land(sent[1]!);
  dispatcher.pump();
  expect(positions().at(-1)).toEqual([3, 4]);
});

test('while one request has to decide, it carries one entry: the one that was pushed last', () => {
  const { dispatcher, add, positions, state, limit } = openBatches('none');
  limit.limit = 1;
  state.last = true;
  for (let count = 0; count < 5; count += 1) add('');
  dispatcher.pump();
  expect(positions()).toEqual([[5]]);
});

test('parked entries go alone, at every other turn, and do not wait with an incomplete batch', () => {
  const { dispatcher, add, positions } = openBatches('none');
  const parkedAt = (position: number) =>
    ({
      position,
      parked: {},
      sent: false,
      closed: false,
      next: null,
      readyAt: 0,
    }) as unknown as Ready;
  for (const position of [90, 91, 92]) {
    const slot = parkedAt(position);
    slot.entry = { position, bytes: 1 };
    dispatcher.putBack(slot);
  }
  for (let count = 0; count < 5; count += 1) add('');
  dispatcher.pump();
  expect(positions()).toEqual([[1, 2, 3, 4], [92], [91], [90]]);
});

test('without a request left in the budget nothing is lost, and sending continues once there is one', () => {
  let room = 0;
  let wake = (): void => undefined;
  const { dispatcher, add, positions } = openBatches('record', {
    requests: {
      room: () => room,
      take: () => undefined,
      wait: (woken) => {
        wake = woken;
      },
    },
  });
  for (const lane of ['a', 'a', 'b', 'c']) add(lane);
  dispatcher.pump();
  expect(positions()).toEqual([]);
  room = 5;
  wake();
  expect(positions()).toEqual([[1, 2, 3, 4]]);
});

test('what goes next is shown without being taken, and goes without delay while the head is tried', () => {
  const { dispatcher, add, positions, state } = openBatches('record');
  for (const lane of ['a', 'a']) add(lane);
  expect(dispatcher.upNext().map(({ position }) => position)).toEqual([1, 2]);
  dispatcher.pump();
  expect(positions()).toEqual([]);
  state.hurries = true;
  dispatcher.pump();
  expect(positions()).toEqual([[1, 2]]);
});

/** Lanes, refusals and the sizes of what is left, in any order. */
const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('add'), lane: fc.constantFrom('a', 'b', 'c', 'd') }),
    fc.record({ kind: fc.constant('land'), which: fc.nat() }),
    fc.record({ kind: fc.constant('refuse'), which: fc.nat() }),
    fc.record({ kind: fc.constant('wait') }),
  ),
  { maxLength: 120 },
);

test.each(['record', 'stream', 'none'] as const)(
  'ordering %s: whatever is refused, each entry goes until it has landed, its lane in order, in one batch at a time',
  (ordering) => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 4 }), (told, most) => {
        const { dispatcher, cohorts, add, sent, land, limit } = openBatches(ordering);
        limit.limit = ordering === 'stream' ? 1 : most;
        const open: Ready[][] = [];
        const landed: number[] = [];
        const newest = new Map<string, number>();
        const laneOf = (slot: Ready) => (ordering === 'none' ? String(slot.position) : slot.lane);
        let added = 0;

        function pump(): void {
          dispatcher.pump();
          for (const slots of sent.splice(0)) {
            const others = new Set(open.flat().map(laneOf));
            for (const slot of slots) expect(others.has(laneOf(slot))).toBe(false);
            expect(slots.length).toBeLessThanOrEqual(LIMITS.entries);
            open.push(slots);
          }
          expect(open.length).toBeLessThanOrEqual(limit.limit);
        }

        function take(which: number): Ready[] | undefined {
          return open.splice(which % Math.max(1, open.length), 1)[0];
        }

        function accept(slots: Ready[]): void {
          for (const slot of slots) {
            expect(slot.position).toBeGreaterThan(newest.get(laneOf(slot)) ?? 0);
            newest.set(laneOf(slot), slot.position);
          }
          landed.push(...slots.map(({ position }) => position));
          land(slots);
        }

        function refuse(slots: Ready[]): void {
          dispatcher.landed(slots.length);
          cohorts.form(slots, Math.ceil(slots.length / 2), performance.now());
          const behind = new Set(slots.map(({ next }) => next));
          for (const slot of slots) slot.sent = false;
          dispatcher.putBackAll(slots.filter((slot) => !behind.has(slot)));
          dispatcher.passOn();
        }

        for (const one of told) {
          if (one.kind === 'add') {
            add(ordering === 'stream' ? 'stream' : ordering === 'none' ? '' : one.lane);
            added += 1;
          } else if (one.kind === 'wait') vi.advanceTimersByTime(250);
          else {
            const slots = take(one.which);
            if (slots !== undefined) (one.kind === 'land' ? accept : refuse)(slots);
          }
          pump();
        }
        for (let rounds = 0; landed.length < added; rounds += 1) {
          expect(rounds).toBeLessThan(1_000);
          vi.advanceTimersByTime(250);
          pump();
          const slots = take(0);
          if (slots !== undefined) accept(slots);
        }
        expect(landed.toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: added }, (_, index) => index + 1),
        );
        dispatcher.close();
      }),
    );
  },
);
