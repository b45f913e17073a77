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

/** The name of a record, in memory only. */
export function recordOf({ upstreamId, collectionId, syncId }: Recorded): string {
  return `${upstreamId}\u0000${collectionId}\u0000${syncId}`;
}
