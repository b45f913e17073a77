import type { Confirmation } from '../../src/progress/filterRows.ts';
import type { StoredHead } from '../../src/progress/lease.ts';
import type { SenderOutcomes } from '../../src/progress/senderOutcomes.ts';
import { compile } from '../../src/rules/filter.ts';
import type { FilterVersion } from '../../src/rules/filterVersions.ts';
import { recordOf } from '../../src/rules/ordering.ts';
import type { Outcome } from '../../src/rules/outcome.ts';
import type { Ordering } from '../../src/schema/consumer.ts';
import type { StreamName } from '../../src/schema/stream.ts';
import type { Entry } from '../../src/streams/entry.ts';
import type { HeldRequest } from './heldEndpoint.ts';
import { goesOnWithHead, type StoredVisit } from './visitedStore.ts';

/** One entry to be appended; of sync `a` and a record of its own, unless it says otherwise. */
export interface Arriving {
  sync?: string;
  record?: string;
  collection?: string;
  bytes?: number;
}

interface Known {
  entry: Entry;
  /** A newer version of its record has been appended. */
  superseded: boolean;
  /** It was answered 2xx, and the sender in force knows of it. */
  delivered: boolean;
  /** A seek has passed over it. */
  skipped: boolean;
}

/** What the contract says of one visited consumer, told of everything that is sent and stored. */
export interface VisitedModel {
  append(one: Arriving): Entry;
  entries(): readonly Entry[];
  /** The position of the newest entry. */
  readonly end: number;
  /** Whether an entry has a newer version. */
  isSuperseded(position: number): boolean;
  came(request: HeldRequest, open: readonly HeldRequest[], filters: FilterVersion[]): void;
  over(request: HeldRequest, outcome: Outcome, filters: FilterVersion[]): void;
  storing(outcomes: SenderOutcomes, filters: FilterVersion[]): void;
  confirming(taken: Confirmation, filters: FilterVersion[]): void;
  /** A sender begins with what is stored. */
  claimed(stored: StoredVisit): void;
  /** The consumer has been moved there. */
  sought(position: number): void;
  /**
   * Something comes between an answer and the sender: an edit that closes the entry or sends it anew, or no room to
   * read it. Until another sender begins, it is not looked at whether what that answer asked for is heeded.
   */
  interfere(): void;
  blame(line: string): void;
  /** Positions that have to come and have not. */
  missing(filters: FilterVersion[]): number[];
  /** What must not have happened. */
  readonly wrong: string[];
  /** Positions in the order in which they came, repetitions included. */
  readonly sent: number[];
}

export function createVisitedModel(options: {
  stream: StreamName;
  ordering: Ordering;
}): VisitedModel {
  const { stream, ordering } = options;
  const known: Known[] = []; // that of position n is at n - 1
  const newest = new Map<string, Known>();
  const wrong: string[] = [];
  const sent: number[] = [];
  const asked = createAsked(stream);
  const blame = (line: string): void => void wrong.push(line);
  const at = (position: number): Known => {
    const found = known[position - 1];
    if (found === undefined) throw new Error(`there is no entry ${position}`);
    return found;
  };

  function append(one: Arriving): Entry {
    const entry = entryOf(known.length + 1, stream, one);
    const state = { superseded: false, delivered: false, skipped: false };
    const added = { entry, ...state };
    known.push(added);
    const record = recordOf(entry);
    const older = newest.get(record);
    if (stream === 'records' && older !== undefined) older.superseded = true;
    newest.set(record, added);
    return entry;
  }

  function sameLane(one: Entry, other: Entry): boolean {
    return ordering === 'stream' || (ordering === 'record' && recordOf(one) === recordOf(other));
  }

  function isOpen(one: Known, filters: FilterVersion[]): boolean {
    const isLeft = !one.delivered && !one.superseded && !one.skipped;
    return isLeft && verdictOf(one.entry, filters) === 'must';
  }

  function came(
    { position }: HeldRequest,
    open: readonly HeldRequest[],
    filters: FilterVersion[],
  ): void {
    sent.push(position);
    const one = at(position);
    if (one.delivered) blame(`${position} is sent again`);
    if (!asked.mayBeSent) blame(`${position} is sent before Retry-After or after a 410`);
    if (verdictOf(one.entry, filters) === 'never') blame(`${position} is sent, but does not pass`);
    for (const other of open) {
      if (sameLane(at(other.position).entry, one.entry))
        blame(`${position} is sent while ${other.position} of its lane is open`);
    }
    for (const before of known.slice(0, position - 1)) {
      if (sameLane(before.entry, one.entry) && isOpen(before, filters))
        blame(`${position} is sent before ${before.entry.position} of its lane`);
    }
  }

  function storing({ position, ahead }: SenderOutcomes, filters: FilterVersion[]): void {
    for (const one of known) {
      const isSettled = one.entry.position <= position || ahead.includes(one.entry.position);
      if (isSettled && isOpen(one, filters)) blame(`${one.entry.position} is stored, but not sent`);
    }
  }

  function confirming({ filterFrom, filterVersion }: Confirmation, filters: FilterVersion[]): void {
    const taken = filters.map((one) =>
      one.version <= filterVersion ? { ...one, filterFrom: one.filterFrom ?? filterFrom } : one,
    );
    for (const { entry, delivered, skipped } of known) {
      if (!delivered || skipped || verdictOf(entry, taken) !== 'never') continue;
      blame(`${entry.position} was delivered, but does not pass what holds from ${filterFrom} on`);
    }
  }

  return {
    append,
    entries: () => known.map(({ entry }) => entry),
    get end() {
      return known.length;
    },
    isSuperseded: (position) => at(position).superseded,
    came,
    over: ({ position }, outcome, filters) => {
      asked.over(outcome);
      if (outcome.kind !== 'delivered') return;
      const one = at(position);
      one.delivered = true;
      if (verdictOf(one.entry, filters) === 'never')
        blame(`${position} is delivered, but does not pass by now`);
    },
    storing,
    confirming,
    claimed: (stored) => {
      const { position, ahead, released } = stored;
      asked.begins(goesOnWithHead(stored) ? stored.head : null);
      for (const one of known) {
        const isSettled = one.entry.position <= position || ahead.includes(one.entry.position);
        if (!one.delivered || isSettled) continue;
        one.delivered = false; // it comes again
        if (released !== null)
          blame(`${one.entry.position} was delivered, and is not stored at a release`);
      }
    },
    sought: (position) => {
      for (const one of known) {
        one.skipped = one.entry.position <= position;
        if (!one.skipped) one.delivered = false; // it comes again
      }
    },
    interfere: asked.interfere,
    blame,
    missing: (filters) =>
      known.filter((one) => isOpen(one, filters)).map(({ entry }) => entry.position),
    wrong,
    sent,
  };
}

/** What an endpoint has asked for: to wait, or to send no more. */
interface Asked {
  over(outcome: Outcome): void;
  /** A sender begins with this head. */
  begins(head: StoredHead | null): void;
  interfere(): void;
  readonly mayBeSent: boolean;
}

/** A newer version of a record is not held up by the answer to an older one, so only events are looked at. */
function createAsked(stream: StreamName): Asked {
  let waitsUntil = 0;
  let isGone = false;
  let isUnclear = false;

  return {
    over: (outcome) => {
      if (outcome.kind !== 'failed') return;
      isGone ||= outcome.code === 'GONE';
      if (outcome.retryAfter === undefined) return;
      waitsUntil = Math.max(waitsUntil, Date.now() + Number(outcome.retryAfter) * 1_000);
    },
    begins: (head) => {
      waitsUntil = head?.askedUntil ?? 0;
      isGone = head?.failure.code === 'GONE';
      isUnclear = false;
    },
    interfere: () => {
      isUnclear = true;
    },
    get mayBeSent() {
      if (stream === 'records' || isUnclear) return true;
      return !isGone && Date.now() >= waitsUntil;
    },
  };
}

function passes({ filter }: FilterVersion, entry: Entry): boolean {
  return compile(filter)(entry);
}

/**
 * An entry passes its own version, and every later one, or need not come. From where a version holds that no
 * sender has confirmed is not known yet, so it may be an entry's own.
 */
function verdictOf(entry: Entry, filters: FilterVersion[]): 'must' | 'may' | 'never' {
  const own = filters.findLastIndex(
    ({ filterFrom }) => filterFrom !== null && filterFrom < entry.position,
  );
  const later = filters.slice(Math.max(0, own));
  if (later.every((one) => passes(one, entry))) return 'must';
  const mayBeOwn = later.filter((one, index) => index === 0 || one.filterFrom === null);
  return mayBeOwn.some((one) => passes(one, entry)) ? 'may' : 'never';
}

/** An entry of the consumer's stream, as the tail reads it. */
function entryOf(
  position: number,
  stream: StreamName,
  { sync = 'a', record = `r${position}`, collection = 'm:x', bytes = 100 }: Arriving,
): Entry {
  return {
    position,
    messageId: `m${position}`,
    syncId: sync,
    collectionId: collection,
    upstreamId: record,
    event: stream === 'events' ? 'updated' : null,
    at: '2026-01-01T00:00:00Z',
    body: `{"n":${position}}`,
    bytes,
    superseded: false,
    traceparent: null,
  };
}
