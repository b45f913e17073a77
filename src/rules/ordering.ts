import type { Ordering } from '../schema/consumer.ts';

export interface Recorded {
  syncId: string;
  collectionId: string;
  upstreamId: string;
}

/** The lane an entry belongs to under an ordering. */
export function laneOf(ordering: Ordering, entry: Recorded): string {
  if (ordering === 'stream') return 'stream';
  return ordering === 'none' ? '' : recordOf(entry);
}

/** The name of a record, for use in memory only; no two share one, since U+0000 is in none of its parts. */
export function recordOf({ upstreamId, collectionId, syncId }: Recorded): string {
  return `${upstreamId}\u0000${collectionId}\u0000${syncId}`;
}
