import { clockMs } from './clock.ts';
import type { Installation } from './installation.ts';

/** Far below the limit of 10 MiB for a request. */
const ENTRIES_A_REQUEST = 5_000;
const PAD = 'x'.repeat(100);

/**
 * Appends one event for each of the syncs at once, in as few requests as possible; returns when the
 * requests were made (`clockMs`), from which the receiver measures each entry's latency.
 */
export async function appendEach(installation: Installation, syncs: string[]): Promise<number> {
  const sentAt = clockMs();
  const events = syncs.map((sync) => ({
    sync_id: sync,
    collection_id: 'bench:item',
    upstream_id: 'r-1',
    event: 'updated',
    data: { sent_at: sentAt, pad: PAD },
  }));
  const requests: Promise<unknown>[] = [];
  for (let from = 0; from < events.length; from += ENTRIES_A_REQUEST) {
    const some = events.slice(from, from + ENTRIES_A_REQUEST);
    requests.push(installation.api('POST', '/v1/events', { events: some }));
  }
  await Promise.all(requests);
  return sentAt;
}
