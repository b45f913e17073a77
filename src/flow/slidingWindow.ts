/** One entry between being read and being settled. */
export interface Slot<E> {
  readonly position: number;
  /** The entry; once it has settled, the window's `gone` is in its place, so that its text takes no memory. */
  entry: E;
  settled: boolean;
  /** Whether a filter edit has removed it: it then settles unsent when its turn comes. */
  closed: boolean;
  sent: boolean;
  /** The next entry of its lane (see `lanes.ts`). */
  next: Slot<E> | null;
  lane: string;
}

/** Which entries are settled. */
export interface Settled {
  /** Everything at or below this position is settled. */
  position: number;
  /** Settled positions above it, ascending. */
  ahead: number[];
}

/** The entries of a drain between being read and being settled. */
export interface SlidingWindow<E> {
  /** Adds an entry, in reading order; null when it was settled before (its position is in `ahead`). */
  add(entry: E, lane: string): Slot<E> | null;
  /** Records that everything up to `position` has been read. */
  scanned(position: number): void;
  /** Settles an entry and frees its text; a second call has no effect. */
  settle(slot: Slot<E>): void;
  /** What a successor has to know in order to lose nothing and to repeat nothing that is settled. */
  settled(): Settled;
  /** The slots that have not settled, in reading order. */
  unsettled(): IteratorObject<Slot<E>>;
  /** The highest position that has been read. */
  readonly readTo: number;
  /** Entries that have not settled. */
  readonly open: number;
  /** Entries from the oldest that has not settled to the newest that was read, settled ones included. */
  readonly span: number;
  /** Size of the entries that have not settled. */
  readonly bytes: number;
  /** How many entries have settled so far. */
  readonly settledCount: number;
}

/**
 * Creates the sliding window of a drain, which starts `from` the entries that are settled already. Entries are
 * added in order and settle in any order; `gone` takes the place of each entry that has settled.
 */
export function createSlidingWindow<E extends { position: number; bytes: number }>(
  from: Settled,
  gone: E,
): SlidingWindow<E> {
  const carried = new Set(from.ahead);
  let slots: Slot<E>[] = [];
  let first = 0; // index of the first slot that is not settled
  let readTo = from.position;
  let open = 0;
  let bytes = 0;
  let settledCount = 0;

  function add(entry: E, lane: string): Slot<E> | null {
    const { position } = entry;
    if (position > readTo) readTo = position;
    if (carried.size > 0 && carried.has(position)) return null;
    const slot: Slot<E> = {
      position,
      entry,
      settled: false,
      closed: false,
      sent: false,
      next: null,
      lane,
    };
    slots.push(slot);
    open += 1;
    bytes += entry.bytes;
    return slot;
  }

  function settle(slot: Slot<E>): void {
    if (slot.settled) return;
    slot.settled = true;
    open -= 1;
    settledCount += 1;
    bytes -= slot.entry.bytes;
    slot.entry = gone;
    if (slots[first] === slot) advance();
  }

  function advance(): void {
    while (first < slots.length && slots[first]?.settled === true) first += 1;
    if (first < 1024) return;
    slots = slots.slice(first);
    first = 0;
  }

  function progress(): Settled {
    const head = slots[first];
    if (head === undefined) {
      drop(readTo);
      return { position: readTo, ahead: [...carried].sort((a, b) => a - b) };
    }
    const position = head.position - 1;
    drop(position);
    const ahead = [...carried];
    for (let index = first + 1; index < slots.length; index += 1) {
      const slot = slots[index];
      if (slot?.settled === true) ahead.push(slot.position);
    }
    return { position, ahead: carried.size === 0 ? ahead : ahead.sort((a, b) => a - b) };
  }

  function drop(position: number): void {
    if (carried.size === 0) return;
    for (const settled of carried) if (settled <= position) carried.delete(settled);
  }

  function* unsettled(): Generator<Slot<E>> {
    for (let index = first; index < slots.length; index += 1) {
      const slot = slots[index];
      if (slot !== undefined && !slot.settled) yield slot;
    }
  }

  return {
    add,
    scanned: (position) => {
      if (position > readTo) readTo = position;
    },
    settle,
    settled: progress,
    unsettled,
    get readTo() {
      return readTo;
    },
    get open() {
      return open;
    },
    get span() {
      return slots.length - first;
    },
    get bytes() {
      return bytes;
    },
    get settledCount() {
      return settledCount;
    },
  };
}
