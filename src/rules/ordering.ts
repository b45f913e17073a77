import type { Ordering } from '../schema/consumer.ts';

/** The parts of an entry that identify its record. */
export interface Recorded {
  syncId: string;
  collectionId: string;
  upstreamId: string;
}

/** The lane of an entry under an ordering; `none` has no lanes, so that it is empty there. */
export function laneOf(ordering: Ordering, entry: Recorded): string {
  if (ordering === 'stream') return 'stream';
  return ordering === 'none' ? '' : recordOf(entry);
}

/** A string that identifies a record, used in memory only: U+0000, which joins its parts, is in none of them. */
export function recordOf({ upstreamId, collectionId, syncId }: Recorded): string {
  return `${upstreamId}\u0000${collectionId}\u0000${syncId}`;
}

/** The parts of what `recordOf` returned. */
export function partsOf(record: string): Recorded {
  const [upstreamId = '', collectionId = '', syncId = ''] = record.split('\u0000');
  return { upstreamId, collectionId, syncId };
}
