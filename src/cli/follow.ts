import { setTimeout as wait } from 'node:timers/promises';

import { ClientError, type Client, type Query } from '../api/client.ts';
import type { Problem } from '../schema/problem.ts';
import { readFrames } from './sse.ts';

/** One entry of a stream, as the webhook would carry it. */
export interface Entry {
  /** The cursor of this entry: reading after it begins with the next one. */
  cursor: string;
  /** `event_id` or `version_id`. */
  messageId: string;
  position: number;
  /** `created`, `updated` or `deleted` for an event; `changed` or `deleted` for a record. */
  what: string;
  syncId: string;
  collectionId: string;
  upstreamId: string;
  /** The webhook's body, byte for byte. */
  body: string;
}

/** What to follow, and what to call. */
export interface FollowOptions {
  client: Pick<Client, 'open'>;
  /** The stream, the filter, and where to begin. */
  query: Query;
  signal: AbortSignal;
  /** Awaited before the next entry is read. */
  onEntry: (entry: Entry) => Promise<void>;
  /** Awaited when the connection is lost; resolves when everything that `onEntry` began is over. */
  settled?: () => Promise<void>;
  /** Called when the connection is established, lost, and established again. */
  onState: (state: { connected: boolean; why: string }) => void;
}

const AGAIN_MS = 1_000;
const MOST_MS = 10_000;
/** Three heartbeats of the API. */
const SILENT_MS = 45_000;

/**
 * Hands over every entry once and in order until the signal aborts. After each lost connection it continues
 * after the last entry that was handed over. Resolves with the cursor of the last entry, null when there was
 * none. Rejects when the first connection fails, or when the API refuses the request or its key loses the right
 * to read; it then first waits for everything that `onEntry` has begun.
 */
export async function followStream(options: FollowOptions): Promise<string | null> {
  const { client, query, signal, onEntry, onState } = options;
  let cursor: string | null = null;
  let isFirst = true;
  let connected = false;
  let failures = 0;
  while (!signal.aborted) {
    const silence = silenceOf(signal);
    let why = 'the API closed it';
    try {
      const response = await client.open('GET', '/v1/listen', {
        query,
        signal: silence.signal,
        headers: {
          accept: 'text/event-stream',
          ...(cursor !== null && { 'last-event-id': cursor }),
        },
      });
      if (!connected) onState({ connected: true, why: isFirst ? '' : 'connected again' });
      isFirst = false;
      connected = true;
      failures = 0;
      for await (const { id, event, data } of readFrames(silence.watch(response.body!))) {
        if (signal.aborted) break;
        if (event === 'end' && data !== null) throw refusalOf(data);
        if (data !== null) await onEntry(toEntry(id, data));
        cursor = id;
      }
    } catch (error) {
      if (signal.aborted) break;
      if (error instanceof ClientError) await options.settled?.();
      if (isFirst || !isPassing(error)) throw error;
      why = error instanceof Error ? error.message : String(error);
    } finally {
      silence.end();
    }
    await options.settled?.();
    if (connected) onState({ connected: false, why });
    connected = false;
    const ms = Math.min(MOST_MS, AGAIN_MS * 2 ** failures++);
    await wait(ms, undefined, { signal }).catch(() => undefined); // aborted: the loop ends
  }
  await options.settled?.();
  return cursor;
}

/** Whether an error may pass by itself: no answer, a restart, a proxy in between, too many requests. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof ClientError)) return error instanceof ConnectionLost;
  return error.status === 0 || error.status >= 500 || error.status === 429;
}

/** The problem with which the API ends an answer whose caller has lost the right to it. */
function refusalOf(text: string): ClientError {
  const problem = JSON.parse(text) as Partial<Problem>;
  return new ClientError(problem.status ?? 401, { ...problem });
}

class ConnectionLost extends Error {
  override name = 'ConnectionLost';
}

/** Ends a connection on which nothing comes, not even a heartbeat; time spent in a slow `onEntry` does not count. */
function silenceOf(signal: AbortSignal): {
  signal: AbortSignal;
  watch: (body: AsyncIterable<Uint8Array>) => AsyncGenerator<Uint8Array>;
  end: () => void;
} {
  const silent = new AbortController();
  const tooLong = (): void => silent.abort(new ConnectionLost('nothing arrived for 45 s'));
  let timer = setTimeout(tooLong, SILENT_MS);
  return {
    signal: AbortSignal.any([signal, silent.signal]),
    end: () => clearTimeout(timer),
    watch: async function* watched(body) {
      const chunks = body[Symbol.asyncIterator]();
      for (;;) {
        clearTimeout(timer);
        timer = setTimeout(tooLong, SILENT_MS);
        const next = await chunks.next().catch(lost);
        clearTimeout(timer);
        if (next.done === true) return;
        yield next.value;
      }
    },
  };
}

function lost(cause: unknown): never {
  const code = (cause as { cause?: { code?: string } }).cause?.code;
  const why = code ?? (cause instanceof Error ? cause.message : String(cause));
  throw new ConnectionLost(`the connection was lost (${why})`, { cause });
}

type Shape = Record<
  'event' | 'record',
  | undefined
  | {
      event_id?: string;
      version_id?: string;
      event?: string;
      deleted?: boolean;
      position?: number;
      updated_idx?: number;
      sync_id: string;
      collection_id: string;
      upstream_id: string;
    }
>;

function toEntry(cursor: string, body: string): Entry {
  const { event, record } = JSON.parse(body) as Shape;
  const one = event ?? record;
  if (one === undefined) throw new Error('GET /v1/listen sent something that is not an entry');
  return {
    cursor,
    messageId: one.event_id ?? one.version_id ?? '',
    position: one.position ?? one.updated_idx ?? 0,
    what: one.event ?? (one.deleted === true ? 'deleted' : 'changed'),
    syncId: one.sync_id,
    collectionId: one.collection_id,
    upstreamId: one.upstream_id,
    body,
  };
}
