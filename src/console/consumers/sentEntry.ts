import { useQuery } from '@tanstack/react-query';

import type { StreamName } from '../../schema/stream.ts';
import { api, isGone, type Attempt } from '../api.ts';

/**
 * Reads the entry that was sent in an attempt: its JSON as it was stored. Its data is null when the record has a newer
 * version, and undefined while it is read and for an event that is older than the retention.
 */
export function useSentEntry(attempt: Attempt, stream: StreamName) {
  const { event_id, position } = attempt;
  const isRecord = stream === 'records';
  return useQuery({
    queryKey: ['sent-entry', stream, position],
    queryFn: (): Promise<string | null> =>
      isRecord ? readVersion(attempt) : readEvent(event_id ?? ''),
    enabled: isRecord || event_id !== null,
    staleTime: Infinity, // neither changes, and a version that has been replaced does not come back
  });
}

async function readEvent(id: string): Promise<string> {
  const response = await api.open('GET', `/v1/events/${encodeURIComponent(id)}`);
  return response.text();
}

/** Reads the version of a record that has this position; null when it is not the latest any more. */
async function readVersion(attempt: Attempt): Promise<string | null> {
  const { sync_id, collection_id, upstream_id, position } = attempt;
  if (sync_id === null || collection_id === null || upstream_id === null) return null;
  const key = [sync_id, collection_id, upstream_id].map(encodeURIComponent).join('/');
  try {
    const text = await (await api.open('GET', `/v1/records/${key}`)).text();
    const { updated_idx } = JSON.parse(text) as { updated_idx?: number };
    return updated_idx === position ? text : null;
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}
