import {
  keyOf,
  recordOfRow,
  type ParkedHead,
  type ParkedRow,
  type RecordKey,
} from '../progress/parkedRows.ts';
import { isHandedOut, toParked } from './parkedEntry.ts';
import type { ParkedLanes } from './parkedLanes.ts';
import type { ParkedWrites } from './parkedWrites.ts';

/** Takes over parked entries that were read from Postgres, which may be older than what the sender knows. */
export interface ParkedReadings {
  /**
   * Takes over rows that were added from outside or are to be tried now. False when some of them may be older
   * than the end of their entry, which is still to be written: they have to be read again.
   */
  merge(rows: ParkedHead[]): boolean;
  /** The records whose next entries have to be loaded before any of theirs goes out. */
  toLoad(): RecordKey[];
  /** Takes over the lowest entries of these records; `limit` is how many of each were asked for. */
  load(records: RecordKey[], rows: ParkedRow[], limit: number): void;
}

/** Creates the part of a sender that takes over what was read. */
export function createParkedReadings({
  lanes,
  writes,
}: {
  lanes: ParkedLanes;
  writes: Pick<ParkedWrites, 'isLeaving' | 'isNoted' | 'note'>;
}): ParkedReadings {
  function merge(rows: ParkedHead[]): boolean {
    let all = true;
    for (const row of rows) {
      if (writes.isLeaving(row.position)) {
        all = false;
        continue;
      }
      const read = toParked(row);
      if (row.followed) lanes.follows(read.record);
      const known = lanes.find(read.record, row.position);
      if (known === null) lanes.insert(read);
      else if (row.due_ms === -1 && !isHandedOut(known) && !writes.isNoted(known))
        lanes.schedule(known, 0);
    }
    return all;
  }

  function load(records: RecordKey[], rows: ParkedRow[], limit: number): void {
    const found = Map.groupBy(rows, recordOfRow);
    for (const key of records) {
      const record = recordOfRow(key);
      const read = found.get(record) ?? [];
      if (read.some((row) => writes.isLeaving(row.position))) continue; // older than its end: read again
      const head = lanes.loaded(record, read.map(toParked), read.length === limit);
      if (head !== null) writes.note(head);
    }
  }

  return { merge, toLoad: () => [...lanes.toLoad].map(keyOf), load };
}
