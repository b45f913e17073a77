import { idOf, positionOf, type StreamEntry } from './entry.ts';

/** Rows newest first, with what came since on top: each event once, and of each record its newest version alone. */
export function withTail(
  tail: readonly StreamEntry[],
  rows: readonly StreamEntry[],
): StreamEntry[] {
  const seen = new Set<string>();
  return [...tail, ...rows]
    .toSorted((one, other) => positionOf(other) - positionOf(one))
    .filter((entry) => {
      const key = keyOf(entry);
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    });
}

function keyOf(entry: StreamEntry): string {
  if (entry.event_id !== undefined) return idOf(entry);
  return JSON.stringify([entry.sync_id, entry.collection_id, entry.upstream_id]);
}
