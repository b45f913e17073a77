import type { Cohort, Cohorts } from './cohorts.ts';
import type { Queued } from './readyQueue.ts';

/** Slots that were taken are dropped from the front of the array once this many have gathered. */
const COMPACT_AT = 1_024;

/** Slots of one kind, which may go with one request. */
export interface Source<S> {
  /** The largest number of them in one request. */
  readonly most: number;
  /** Whether they wait for others, to fill a request. */
  readonly fills: boolean;
  /** The slot whose turn is next; undefined: there is none. */
  readonly front: S | undefined;
  /** Takes the slot in front. */
  take(): void;
  /** Puts slots in front again that were taken last, in their order. */
  giveBack(slots: readonly S[]): void;
  /** Whether an entry that waits behind one of these may go with them. */
  fits(slot: S): boolean;
}

/** The slots that may be sent now: those that have failed together, others in order, and parked ones that are due. */
export interface BatchQueue<S extends Queued> {
  /** Queues a slot behind the others of its kind. */
  push(slot: S): void;
  /** Queues a slot in front of the others of its kind. */
  putBack(slot: S): void;
  /** Puts slots of the sliding window back; those of a kind then go out by position. */
  putBackAll(slots: readonly S[]): void;
  /**
   * The slots whose turn it is: parked ones at most every other time, those that have failed together before others.
   * Null when nothing waits.
   */
  lead(): Source<S> | null;
  /** As `lead`, without parked ones and without a change of turns. */
  front(): Source<S> | null;
  /** The parked slots that are due; null: there are none. */
  parked(): Source<S> | null;
  /** Takes the slot that was pushed last; a parked one only when there is no other. */
  last(): S | undefined;
  readonly empty: boolean;
}

/** Creates an empty queue. */
export function createBatchQueue<S extends Queued>(cohorts: Cohorts<S>): BatchQueue<S> {
  const fresh = createFresh<S>((slot) => cohorts.of(slot) === undefined);
  const due: S[] = [];
  const parked = ofParked(due);
  let failed: CohortSource<S>[] = []; // those with slots that may go now
  let parkedsTurn = false;

  function sourceOf(cohort: Cohort<S>): CohortSource<S> {
    const known = failed.find((one) => one.cohort === cohort);
    if (known !== undefined) return known;
    const source = ofCohort(cohort, (slot) => cohorts.of(slot) === cohort);
    failed.push(source);
    return source;
  }

  /** Queues a slot if it is in a cohort. */
  function isInCohort(slot: S): boolean {
    const cohort = cohorts.of(slot);
    if (cohort === undefined) return false;
    sourceOf(cohort).add(slot);
    return true;
  }

  function push(slot: S): void {
    if (!isInCohort(slot)) fresh.push(slot);
  }

  function putBack(slot: S): void {
    slot.sent = false;
    if (slot.parked !== null) due.unshift(slot);
    else if (!isInCohort(slot)) fresh.giveBack([slot]);
  }

  function putBackAll(slots: readonly S[]): void {
    for (const slot of slots) slot.sent = false;
    fresh.sortIn(slots.filter((slot) => !isInCohort(slot)));
  }

  function front(): Source<S> | null {
    if (failed.length > 0) failed = failed.filter((one) => one.front !== undefined);
    let lowest: CohortSource<S> | null = null;
    for (const one of failed) if (one.at < (lowest?.at ?? Infinity)) lowest = one;
    return lowest ?? (fresh.front === undefined ? null : fresh);
  }

  function lead(): Source<S> | null {
    const next = front();
    if (due.length > 0 && (parkedsTurn || next === null)) {
      parkedsTurn = false;
      return parked;
    }
    parkedsTurn = true;
    return next;
  }

  return {
    push,
    putBack,
    putBackAll,
    lead,
    front,
    parked: () => (due.length > 0 ? parked : null),
    last: () =>
      fresh.pop() ?? failed.findLast((one) => one.front !== undefined)?.pop() ?? due.pop(),
    get empty() {
      return front() === null && due.length === 0;
    },
  };
}

/** Slots that have not failed together, in the order in which they became ready. */
function createFresh<S extends Queued>(fits: (slot: S) => boolean) {
  let slots: S[] = [];
  let first = 0;
  return {
    most: Infinity,
    fills: true,
    fits,
    get front(): S | undefined {
      return slots[first];
    },
    push: (slot: S): void => void slots.push(slot),
    pop: (): S | undefined => (first < slots.length ? slots.pop() : undefined),
    take: (): void => {
      first += 1;
      if (first <= COMPACT_AT) return;
      slots = slots.slice(first);
      first = 0;
    },
    giveBack: (again: readonly S[]): void => {
      const from = Math.max(0, first - again.length);
      slots.splice(from, first - from, ...again);
      first = from;
    },
    sortIn: (again: readonly S[]): void => {
      if (again.length === 0) return;
      slots = [...slots.slice(first), ...again].sort(byPosition);
      first = 0;
    },
  } satisfies Source<S> & Record<string, unknown>;
}

interface CohortSource<S> extends Source<S> {
  readonly cohort: Cohort<S>;
  /** The position of the slot in front. */
  readonly at: number;
  add(slot: S): void;
  pop(): S | undefined;
}

function ofCohort<S extends Queued>(
  cohort: Cohort<S>,
  fits: (slot: S) => boolean,
): CohortSource<S> {
  const { ready, most } = cohort;
  return {
    cohort,
    most,
    fills: false,
    fits,
    get front() {
      return ready[0];
    },
    get at() {
      return ready[0]?.position ?? Infinity;
    },
    add: (slot) => insertByPosition(ready, slot),
    pop: () => ready.pop(),
    take: () => void ready.shift(),
    giveBack: (slots) => void ready.unshift(...slots),
  };
}

/** Parked entries go one by one, as each is retried by itself. */
function ofParked<S>(due: S[]): Source<S> {
  return {
    most: 1,
    fills: false,
    fits: () => false,
    get front() {
      return due[0];
    },
    take: () => void due.shift(),
    giveBack: (slots) => void due.unshift(...slots),
  };
}

/** Inserts a slot into slots that are sorted by position. */
export function insertByPosition<S extends { position: number }>(slots: S[], slot: S): void {
  let at = slots.length;
  while (at > 0 && (slots[at - 1] as S).position > slot.position) at -= 1;
  slots.splice(at, 0, slot);
}

/** Compares slots by position. */
export function byPosition(a: { position: number }, b: { position: number }): number {
  return a.position - b.position;
}
