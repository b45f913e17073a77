import fc from 'fast-check';
import { expect, test } from 'vitest';

import { createSlidingWindow, type Settled, type Slot } from '../../src/flow/slidingWindow.ts';

interface Entry {
  position: number;
  bytes: number;
}

const GONE: Entry = { position: 0, bytes: 0 };

type Step =
  | { kind: 'read'; count: number }
  | { kind: 'settle'; which: number }
  | { kind: 'scan' | 'commit' | 'hand over' | 'crash' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('read'), count: fc.integer({ min: 1, max: 8 }) }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('settle'), which: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('scan', 'commit', 'hand over', 'crash') }),
  },
);
/** Entries of a stream in which every position but the matching ones is a gap. */
const entries: fc.Arbitrary<Entry[]> = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.nat(100)), { minLength: 1, maxLength: 60 })
  .map((pairs) => {
    let position = 0;
    return pairs.map(([gap, bytes]) => ({ position: (position += gap), bytes }));
  });

/** A sender over `stream`: what it has read, what has settled, and what was stored of it. */
function drainOver(stream: Entry[]) {
  let window = createSlidingWindow<Entry>({ position: 0, ahead: [] }, GONE);
  let open: Slot<Entry>[] = [];
  let settled = new Set<number>();
  let stored: { progress: Settled; settled: Set<number> } = {
    progress: window.settled(),
    settled: new Set(),
  };
  const end = stream.at(-1)?.position ?? 0;

  function read(count: number): void {
    const next = stream.filter(({ position }) => position > window.readTo).slice(0, count);
    for (const entry of next) {
      const slot = window.add(entry, '');
      expect(slot === null).toBe(settled.has(entry.position));
      if (slot !== null) open.push(slot);
    }
  }

  function settle(which: number): void {
    const [slot] = open.splice(which % open.length, 1);
    if (slot === undefined) return;
    window.settle(slot);
    expect(slot.entry).toBe(GONE); // so that its text takes no memory
    settled.add(slot.position);
  }

  function succeed(progress: Settled): void {
    window = createSlidingWindow<Entry>(progress, GONE);
    open = [];
  }

  function check(): void {
    const progress = window.settled();
    const { position, ahead } = progress;
    expect(ahead).toEqual([...new Set(ahead)].sort((a, b) => a - b));
    expect(ahead.filter((one) => one <= position)).toEqual([]);
    // Nothing unsettled is told to be settled, and nothing settled is forgotten.
    const told = stream
      .map((entry) => entry.position)
      .filter((one) => one <= position || ahead.includes(one));
    expect(new Set(told)).toEqual(settled);
    expect(position).toBeLessThanOrEqual(Math.max(window.readTo, stored.progress.position));
    expect(window.open).toBe(open.length);
    expect(window.bytes).toBe(open.reduce((sum, slot) => sum + slot.entry.bytes, 0));
    expect([...window.unsettled()].map((slot) => slot.entry.position)).toEqual(
      open.map((slot) => slot.entry.position).sort((a, b) => a - b),
    );
  }

  function take(one: Step): void {
    if (one.kind === 'read') read(one.count);
    if (one.kind === 'settle' && open.length > 0) settle(one.which);
    if (one.kind === 'scan' && window.readTo >= end) window.scanned(end + 10);
    if (one.kind === 'commit' || one.kind === 'hand over') {
      const progress = window.settled();
      expect(progress.position).toBeGreaterThanOrEqual(stored.progress.position);
      stored = { progress, settled: new Set(settled) };
    }
    if (one.kind === 'hand over' || one.kind === 'crash') {
      settled = new Set(stored.settled);
      succeed(stored.progress);
    }
    check();
  }

  return { take, window: () => window, open: () => open.length };
}

test('whatever is read, settled, handed over or lost in a crash, progress says exactly which entries are settled', () => {
  fc.assert(
    fc.property(entries, fc.array(step, { maxLength: 120 }), (stream, steps) => {
      const drain = drainOver(stream);
      for (const one of steps) drain.take(one);
      // At last everything is read and settles.
      drain.take({ kind: 'read', count: stream.length });
      while (drain.open() > 0) drain.take({ kind: 'settle', which: 0 });
      expect(drain.window().settled()).toEqual({ position: drain.window().readTo, ahead: [] });
    }),
    { numRuns: 300 },
  );
});

test('a sliding window of thousands of entries forgets those that are settled, and its count stays right', () => {
  const window = createSlidingWindow<Entry>({ position: 0, ahead: [] }, GONE);
  const head = window.add({ position: 1, bytes: 1 }, '');
  for (let position = 2; position <= 5_000; position += 1) {
    const slot = window.add({ position, bytes: 1 }, '');
    if (slot !== null) window.settle(slot);
  }
  expect(window.span).toBe(5_000);
  expect(window.settled().ahead).toHaveLength(4_999);
  if (head !== null) window.settle(head);
  expect([window.span, window.open, window.bytes]).toEqual([0, 0, 0]);
  expect(window.settled()).toEqual({ position: 5_000, ahead: [] });
});
