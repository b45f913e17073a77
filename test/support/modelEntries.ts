import type { Ordering } from '../../src/schema/consumer.ts';
import type { StreamName } from '../../src/schema/stream.ts';
import type { ModelFilters } from './modelFilters.ts';
import { unsettledIn, type Snapshot } from './modelSnapshot.ts';
import { WINDOW_MS } from './process.ts';
import type { Arrival, Reply } from './wire.ts';

const MINUTE = 60_000;

/** What is known of one entry. */
export interface Known {
  position: number;
  record: number;
  event: string | null;
  /** The number in its data. */
  n: number;
  messageId: string | null;
  /** Answered 2xx since the last seek behind it. */
  delivered: number;
  /** When it was last answered so. */
  at: number;
  /** How often it may come again: the sender died before that was stored. */
  mayRepeat: number;
  /** Records stream: it has a newer version. */
  superseded: boolean;
  /** A seek passed over it. */
  skipped: boolean;
}

/** What has become of each entry: sent once and in order, parked, dead, or not to be sent. */
export interface ModelEntries {
  append(of: Pick<Known, 'position' | 'record' | 'event' | 'n'>): void;
  at(position: number): Known | undefined;
  positions(): number[];
  arrives(entry: Known, request: Arrival, reply: Reply): void;
  /** The consumer has been moved to `now.position`. */
  sought(now: Snapshot): void;
  /** The sender died `at` this time; a successor can't know what came in the last moments. */
  died(now: Snapshot, at: number): void;
  /** Blames whatever Postgres says that cannot be true. */
  account(now: Snapshot): void;
  /** Something was seen that only what is stored can explain. */
  readonly inDoubt: boolean;
  /** What should have come and has not. */
  missing(now: Snapshot): number[];
}

export interface ModelEntriesOptions {
  stream: StreamName;
  ordering: Ordering;
  /** What has happened is stored within this time. */
  storedMs: number;
  filters: ModelFilters;
  /** Whether a request of this position is open. */
  isRequested: (position: number) => boolean;
  blame: (line: string) => void;
}

export function createModelEntries(options: ModelEntriesOptions): ModelEntries {
  const { stream, ordering, storedMs, filters, blame } = options;
  const entries = new Map<number, Known>();
  let doubts: { sent: number; at: number; before: Known }[] = []; // who is dead is known when that is stored
  let strangers: Known[] = []; // sent while an edit is under way that may let them through

  function isOpen(entry: Known): boolean {
    const { delivered, superseded, skipped } = entry;
    return delivered === 0 && !superseded && !skipped && filters.verdictOf(entry) === 'must';
  }

  /** It does not pass the newest version, which is in force and no request of it is open. */
  function isClosed(entry: Known): boolean {
    if (Date.now() < filters.editedAt + storedMs) return false;
    return !options.isRequested(entry.position) && !filters.passesNewest(entry);
  }

  function append(of: Pick<Known, 'position' | 'record' | 'event' | 'n'>): void {
    const { position, record } = of;
    if (stream === 'records')
      for (const one of entries.values()) one.superseded ||= one.record === record;
    const fresh = { delivered: 0, at: 0, mayRepeat: 0, superseded: false, skipped: false };
    entries.set(position, { ...of, messageId: null, ...fresh });
  }

  function arrives(entry: Known, { positions, messageId }: Arrival, reply: Reply): void {
    const now = Date.now();
    const { position } = entry;
    if (positions.length === 1) {
      if ((entry.messageId ?? messageId) !== messageId) blame(`${position} has two ids`);
      entry.messageId = messageId;
    }
    if (entry.delivered > 0 && entry.mayRepeat === 0) blame(`${position} is sent again`);
    if (filters.verdictOf(entry) === 'never') strangers.push(entry);
    for (const before of entries.values()) {
      if (before.position >= position || ordering === 'none' || !isOpen(before)) continue;
      if (positions.includes(before.position)) continue; // it came with the same request, before it
      if (ordering === 'record' && before.record !== entry.record) continue;
      doubts.push({ sent: position, at: now, before });
    }
    if (reply !== null && reply.status === 204) {
      if (entry.delivered > 0) entry.mayRepeat -= 1;
      entry.delivered += 1;
      entry.at = now + reply.afterMs;
    }
  }

  function sought(now: Snapshot): void {
    const known = new Set([...now.parked, ...now.dead.map((one) => one.position)]);
    for (const entry of entries.values()) {
      if (entry.position <= now.position) {
        entry.skipped ||= entry.delivered === 0 && !known.has(entry.position);
        continue;
      }
      Object.assign(entry, { delivered: 0, mayRepeat: 0, skipped: false });
    }
  }

  function died(now: Snapshot, at: number): void {
    const unsettled = unsettledIn(now);
    for (const entry of entries.values()) {
      const stored = !unsettled(entry) && !now.parked.includes(entry.position);
      if (entry.delivered === 0 || stored) continue;
      const known = entry.mayRepeat > 0; // since an earlier death, and it has not come again
      entry.mayRepeat = 1;
      if (!known && at > entry.at + storedMs)
        blame(`${entry.position} was not stored ${at - entry.at} ms after its 2xx`);
    }
    doubts = []; // a death that was not stored is not known to a successor
  }

  function account(now: Snapshot): void {
    accountForDoubts(now);
    for (const { position, parked_at, died_at } of now.dead) {
      const lived = Date.parse(died_at) - Date.parse(parked_at);
      if (lived < WINDOW_MS - MINUTE) blame(`${position} died after ${lived} ms`);
    }
    const unsettled = unsettledIn(now);
    const parked = new Set(now.parked);
    const dead = new Set(now.dead.map((one) => one.position));
    for (const entry of entries.values()) {
      const { position, delivered } = entry;
      if (parked.has(position) && dead.has(position)) blame(`${position} is parked and dead`);
      if (parked.has(position) && isClosed(entry)) blame(`${position} is parked, but closed`);
      if (unsettled(entry) && parked.has(position)) blame(`${position} is parked and ahead`);
      if (unsettled(entry) || delivered > 0 || parked.has(position) || dead.has(position)) continue;
      if (isOpen(entry)) blame(`${position} is settled, but nothing has become of it`);
    }
  }

  function accountForDoubts(now: Snapshot): void {
    const dead = new Set(now.dead.map((one) => one.position));
    doubts = doubts.filter(({ before }) => isOpen(before) && !dead.has(before.position));
    for (const { sent, at, before } of doubts) {
      if (Date.now() > at + storedMs)
        blame(`${sent} is sent before ${before.position} of its lane`);
    }
    for (const one of strangers) {
      if (filters.verdictOf(one) === 'never') blame(`${one.position} is sent, but does not pass`);
    }
    strangers = [];
  }

  return {
    append,
    at: (position) => entries.get(position),
    positions: () => [...entries.keys()],
    arrives,
    sought,
    died,
    account,
    get inDoubt() {
      return doubts.length + strangers.length > 0;
    },
    missing: (now) => {
      const dead = new Set(now.dead.map((one) => one.position));
      const open = [...entries.values()].filter((one) => isOpen(one) && !dead.has(one.position));
      return [...open.map((one) => one.position), ...now.parked];
    },
  };
}
