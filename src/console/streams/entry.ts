import type { EventType, StreamName } from '../../schema/stream.ts';
import { api } from '../api.ts';
import { parseExactly } from '../pretty.ts';

/** An event or a record as the API answers it; `data` keeps all digits of its numbers. */
export interface StreamEntry {
  sync_id: string;
  collection_id: string;
  upstream_id: string;
  data: unknown;
  upstream_updated_at: string | null;
  /** Only events have these. */
  event_id?: string;
  event?: EventType;
  changes?: Record<string, unknown> | null;
  event_inserted_at?: string;
  position?: number;
  /** Only records have these. */
  version_id?: string;
  updated_idx?: number;
  deleted?: boolean;
  upstream_created_at?: string | null;
  created_at?: string;
  updated_at?: string;
}

/** The id of one change: of the event, or of the record's version. */
export function idOf(entry: StreamEntry): string {
  return entry.event_id ?? entry.version_id ?? '';
}

export function positionOf(entry: StreamEntry): number {
  return entry.position ?? entry.updated_idx ?? 0;
}

export function timeOf(entry: StreamEntry): string | null {
  return entry.event_inserted_at ?? entry.updated_at ?? null;
}

/** What happened: the event's type, or the state of a record now. */
export function typeOf(entry: StreamEntry): string {
  return entry.event ?? (entry.deleted === true ? 'deleted' : 'record');
}

export interface Filter {
  sync?: string | undefined;
  collection?: string | undefined;
  provider?: string | undefined;
  event?: EventType | undefined;
}

export interface EntryPage {
  entries: StreamEntry[];
  /** The cursor after the last scanned position; backwards, before it. */
  cursor: string;
}

/**
 * Reads a page of a stream, after `cursor` or backwards from `before`; with `waitMs` it is answered when there is an
 * entry, or when the time is over.
 */
export async function readEntries(request: {
  stream: StreamName;
  filter: Filter;
  cursor?: string | undefined;
  before?: string | undefined;
  waitMs?: number;
  limit?: number;
  signal?: AbortSignal | undefined;
}): Promise<EntryPage> {
  const { stream, filter, cursor, before, waitMs = 0, limit = 100, signal } = request;
  const response = await api.open('GET', `/v1/${stream}`, {
    query: {
      sync_id: filter.sync,
      collection_id: filter.collection,
      provider: filter.provider,
      event: stream === 'events' ? filter.event : undefined,
      after_cursor: cursor,
      before_cursor: before,
      wait_for: waitMs,
      limit,
    },
    signal,
  });
  const answer = parseExactly(await response.text()) as Record<StreamName, StreamEntry[]> & {
    cursor: string;
  };
  return { entries: answer[stream], cursor: answer.cursor };
}

/** Reads one event without losing a digit. */
export async function readEvent(id: string): Promise<StreamEntry> {
  const response = await api.open('GET', `/v1/events/${encodeURIComponent(id)}`);
  return parseExactly(await response.text()) as StreamEntry;
}

/** The cursor of a time, such as `1h` ago, taken from the first frame of a listener that then ends. */
export async function cursorSince(stream: StreamName, since: string): Promise<string> {
  const leave = new AbortController();
  try {
    const query = { stream, since };
    const response = await api.open('GET', '/v1/listen', { query, signal: leave.signal });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const part = await reader?.read();
      text += part?.value ?? '';
      const [, cursor] = /^id: (\S+)\n/mu.exec(text) ?? [];
      if (cursor !== undefined) return cursor;
      if (part === undefined || part.done) throw new Error('The connection was lost. Try again.');
    }
  } finally {
    leave.abort();
  }
}
