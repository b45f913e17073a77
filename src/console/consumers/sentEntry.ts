import { useQuery } from '@tanstack/react-query';

import type { StreamName } from '../../schema/stream.ts';
import { api, type Attempt } from '../api.ts';

/** An entry as the stream has it. */
export interface SentEntry {
  /** Its JSON as it was stored. */
  text: string;
  /** The body of its webhooks, byte for byte. */
  body: string;
}

/**
 * Reads the entry that was sent in an attempt. Its data is null when the record has a newer version, and undefined
 * while it is read and for an event that is older than the retention.
 */
export function useSentEntry(attempt: Attempt, stream: StreamName) {
  const { event_id, message_id } = attempt;
  const isRecord = stream === 'records';
  return useQuery({
    queryKey: ['sent-entry', stream, isRecord ? message_id : event_id],
    queryFn: (): Promise<SentEntry | null> =>
      isRecord ? readVersion(message_id) : readEvent(event_id ?? ''),
    enabled: isRecord || event_id !== null,
    staleTime: Infinity, // neither changes, and a version that has been replaced does not come back
  });
}

async function readEvent(id: string): Promise<SentEntry> {
  const response = await api.open('GET', `/v1/events/${encodeURIComponent(id)}`);
  const text = await response.text();
  return { text, body: `{"event":${text}}` };
}

/** Reads a version of a record by its id, which is the `webhook-id`; null when it is not the latest any more. */
async function readVersion(id: string): Promise<SentEntry | null> {
  const { data } = await api.search(id);
  const [cursor] = data.flatMap((hit) =>
    hit.kind === 'record' && hit.version_id === id ? [hit.cursor] : [],
  );
  if (cursor === undefined) return null;
  const query = { after_cursor: cursor, limit: 1 };
  const page = await (await api.open('GET', '/v1/records', { query })).text();
  const [, text = null] = /^\{"records":\[(.+)\],"cursor":"[^"]*"\}$/su.exec(page) ?? [];
  if (text === null) return null;
  const { version_id } = JSON.parse(text) as { version_id?: string };
  return version_id === id ? { text, body: `{"record":${text}}` } : null;
}
