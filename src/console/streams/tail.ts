import { useEffect, useState } from 'react';

import type { StreamName } from '../../schema/stream.ts';
import { ClientError } from '../api.ts';
import { useReads } from '../queries.ts';
import { readEntries, type Filter, type StreamEntry } from './entry.ts';

const WAIT_MS = 25_000;
const AGAIN_MS = 2_000;
/** How many entries are kept; older ones are in the stream. */
export const KEPT = 500;

export interface Tail {
  /** Newest first. */
  entries: StreamEntry[];
  /** Why it ended; null while it runs. */
  error: unknown;
  /** Begins anew, with what is appended from now on. */
  again: () => void;
}

const NOTHING: Pick<Tail, 'entries' | 'error'> = { entries: [], error: null };

/** What has come, of which stream and filter, and while which following ran. */
interface Come extends Pick<Tail, 'entries' | 'error'> {
  of: string;
  run: object | null;
}

/**
 * The entries appended from now on, as they come; continues by its cursor after a break in the answers. Lists of
 * the stream are read again once it follows, so that together they miss nothing, and once it no longer does; only
 * then what has come is forgotten.
 */
export function useTail(request: { stream: StreamName; filter: Filter; isOn: boolean }): Tail {
  const { stream, filter, isOn } = request;
  const { sync, collection, provider, event } = filter;
  const reads = useReads();
  const [come, setCome] = useState<Come>({ ...NOTHING, of: '', run: null });
  const [turn, setTurn] = useState(0);
  const of = JSON.stringify([stream, sync, collection, provider, event]);
  useEffect(() => {
    if (!isOn) return;
    const leave = new AbortController();
    const run = {};
    const readAgain = (): Promise<void> => reads.again(['streams', stream]);
    const add = (entries: StreamEntry[], error: unknown = null): void =>
      setCome((before) => ({
        of,
        run,
        error,
        entries: [...entries.toReversed(), ...(before.of === of ? before.entries : [])].slice(
          0,
          KEPT,
        ),
      }));
    const wanted = { sync, collection, provider, event };
    const onStart = (): void => void readAgain();
    void follow({ stream, filter: wanted, signal: leave.signal, onStart, onEntries: add }).catch(
      (error: unknown) => {
        if (!leave.signal.aborted) add([], error);
      },
    );
    return () => {
      leave.abort();
      void readAgain().finally(() =>
        setCome((now) => (now.run === run ? { ...NOTHING, of: '', run: null } : now)),
      );
    };
  }, [stream, sync, collection, provider, event, isOn, of, reads, turn]);
  const again = (): void => setTurn((before) => before + 1);
  return { ...(come.of === of ? come : NOTHING), again };
}

async function follow(request: {
  stream: StreamName;
  filter: Filter;
  signal: AbortSignal;
  /** Called once whatever is appended from then on will come. */
  onStart: () => void;
  onEntries: (entries: StreamEntry[]) => void;
}): Promise<void> {
  const { stream, filter, signal, onStart, onEntries } = request;
  let cursor = 'end';
  // The first answer comes immediately with a cursor, so later failures lose nothing that is appended after it.
  let waitMs = 0;
  while (!signal.aborted) {
    try {
      const page = await readEntries({ stream, filter, cursor, waitMs, signal });
      if (page.entries.length > 0) onEntries(page.entries);
      ({ cursor } = page);
      if (waitMs === 0) onStart();
      waitMs = WAIT_MS;
    } catch (error) {
      if (signal.aborted || !isPassing(error)) throw error;
      await pause(AGAIN_MS, signal);
    }
  }
}

function isPassing(error: unknown): boolean {
  if (!(error instanceof ClientError)) return false;
  return error.status === 0 || error.status === 429 || error.status >= 500;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
