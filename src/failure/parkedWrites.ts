import { newId } from '../db/ids.ts';
import type { ParkedOps } from '../progress/parkedRows.ts';
import type { ParkedBodies } from './parkedBodies.ts';
import { isOver, toRow, type ParkedEntry } from './parkedEntry.ts';

/**
 * The changes of a sender's parked entries that are still to be written, and those on their way to Postgres.
 * Each commit takes everything that has changed since the last one; a commit is confirmed before the next one
 * begins.
 */
export interface ParkedWrites {
  /** Marks an entry to be written with the next commit, as it will be by then. */
  note(parked: ParkedEntry): void;
  /** Whether an entry has changed since the last `toStore`, so that its row is out of date. */
  isNoted(parked: ParkedEntry): boolean;
  /** The changes since the last call; null when there are none. Called only after `committed`. */
  toStore(): ParkedOps | null;
  /**
   * The changes that `toStore` returned last are in Postgres. Returns the entries that were stored for the
   * first time.
   */
  committed(): ParkedEntry[];
  /** Whether an entry at this position has ended but its row may still be there. */
  isLeaving(position: number): boolean;
  /** Whether another `toStore` has anything to write. */
  readonly unwritten: boolean;
}

export interface ParkedWritesOptions {
  bodies: Pick<ParkedBodies, 'letGo'>;
  /** Unix ms. */
  nowMs: () => number;
}

/** Creates the writes of one sender; there is nothing to write yet. */
export function createParkedWrites({ bodies, nowMs }: ParkedWritesOptions): ParkedWrites {
  const noted = new Set<ParkedEntry>();
  const leaving = new Set<number>(); // positions of ended entries whose rows may still be there
  let taken: ParkedEntry[] = [];

  function note(parked: ParkedEntry): void {
    noted.add(parked);
    if (isOver(parked)) leaving.add(parked.entry.position);
  }

  function toStore(): ParkedOps | null {
    if (noted.size === 0) return null;
    taken = [...noted];
    noted.clear();
    const ops: ParkedOps = { inserts: [], updates: [], deletes: [], added: 0 };
    for (const parked of taken) {
      if (parked.stored) {
        if (isOver(parked)) ops.deletes.push(toEnd(parked, nowMs()));
        else ops.updates.push(toRow(parked));
      } else if (parked.state !== 'done') {
        ops.inserts.push(toRow(parked));
        if (parked.state === 'dead') noted.add(parked); // deleting the row turns it into a dead letter
      }
    }
    ops.added = taken.filter((one) => one.counts && one.state !== 'done').length;
    return ops;
  }

  function committed(): ParkedEntry[] {
    const fresh = taken.filter((one) => !one.stored);
    for (const parked of fresh) {
      parked.stored = true;
      parked.counts = false;
      bodies.letGo(parked); // read again when it is due
    }
    for (const parked of taken) if (!noted.has(parked)) leaving.delete(parked.entry.position);
    taken = [];
    return fresh;
  }

  return {
    note,
    isNoted: (parked) => noted.has(parked),
    toStore,
    committed,
    isLeaving: (position) => leaving.has(position),
    get unwritten() {
      return noted.size > 0;
    },
  };
}

/** The end of a stored entry; `atMs` (unix ms) is when it died, if it did. */
function toEnd(parked: ParkedEntry, atMs: number): ParkedOps['deletes'][number] {
  const dead = parked.state === 'dead';
  return {
    position: parked.entry.position,
    id: newId(),
    attempts: parked.attempts,
    died_at: dead ? new Date(atMs).toISOString() : null,
    last_failure: dead ? parked.failure : null,
  };
}
