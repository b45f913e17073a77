import { useEffect, useState } from 'react';

import type { StreamName } from '../../schema/stream.ts';
import { ClientError } from '../api.ts';
import { readEntries, type Filter, type StreamEntry } from './entry.ts';
const WAIT_MS = 25_000;
const AGAIN_MS = 2_000;
/** How many entries are kept; older ones are in the stream. */
const KEPT = 500;

export interface Tail {
  /** Newest first. */
  entries: StreamEntry[];
  /** Why it ended; null while it runs. */
  error: unknown;
  /** Begins anew, with what is appended from now on. */
  again: () => void;
}

const NOTHING: Pick<Tail, 'entries' | 'error'> = { entries: [], error: null };

/** The entries appended from now on, as they come; continues by its cursor after a break in the answers. */
export function useTail(request: { stream: StreamName; filter: Filter; isOn: boolean }): Tail {
  const { stream, filter, isOn } = request;
  const { sync, collection, provider, event } = filter;
  const [tail, setTail] = useState(NOTHING);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    setTail(NOTHING);
    if (!isOn) return;
    const leave = new AbortController();
    const wanted = { sync, collection, provider, event };
    void follow(stream, wanted, leave.signal, (entries) =>
      setTail(({ entries: before }) => ({
        entries: [...entries.toReversed(), ...before].slice(0, KEPT),
        error: null,
      })),
    ).catch((error: unknown) => {
      if (!leave.signal.aborted) setTail((before) => ({ ...before, error }));
    });
    return () => leave.abort();
  }, [stream, sync, collection, provider, event, isOn, turn]);
  return { ...tail, again: () => setTurn((before) => before + 1) };
}

async function follow(
  stream: StreamName,
  filter: Filter,
  signal: AbortSignal,
  onEntries: (entries: StreamEntry[]) => void,
): Promise<void> {
  let cursor = 'end';
  // The first answer comes immediately with a cursor, so later failures lose nothing that is appended after it.
  let waitMs = 0;
  while (!signal.aborted) {
    try {
      const page = await readEntries({ stream, filter, cursor, waitMs, signal });
      if (page.entries.length > 0) onEntries(page.entries);
      ({ cursor } = page);
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
