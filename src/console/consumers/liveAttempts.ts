import { useEffect, useRef, useState } from 'react';

import type { Page } from '../../api/client.ts';
import { api, ClientError, type Attempt } from '../api.ts';
import { beginOf } from './attemptFilter.ts';

const WAIT_MS = 25_000;
const LEAST_MS = 400;
const AGAIN_MS = 2_000;
const SHOWN = 300;
/** A time before any attempt. */
const FIRST = '1970-01-01T00:00:00.000Z';

/**
 * The attempts since `known` was read, newest first, at most 300, as they happen: a long poll that asks with the
 * same filter and continues from the newest end it has seen. It is off while `known` is null. `onGap` is called when
 * more came than one answer holds, so that `known` has to be read again.
 */
export function useLiveAttempts(
  consumerId: string,
  asked: Record<string, string>,
  known: Attempt[] | null,
  onGap: () => void,
): Attempt[] {
  const gap = useRef(onGap);
  gap.current = onGap;
  const [fresh, setFresh] = useState<Attempt[]>([]);
  const filter = JSON.stringify(asked);
  const isOn = known !== null;
  const begin = known === null ? FIRST : sinceOf(known, earliestOf(asked['since']));
  useEffect(() => {
    if (!isOn) return;
    const leaving = new AbortController();
    const { signal } = leaving;
    setFresh([]);
    void follow();
    return () => leaving.abort();

    async function follow(): Promise<void> {
      let since = begin;
      while (!signal.aborted) {
        const begun = performance.now();
        try {
          const page = await api.request<Page<Attempt>>(
            'GET',
            `/v1/consumers/${encodeURIComponent(consumerId)}/attempts`,
            { query: { ...asked, since, wait_for: WAIT_MS, limit: 100 }, signal },
          );
          since = sinceOf(page.data, since);
          if (page.data.length > 0) setFresh((before) => merge(page.data, before));
          const isGap = page.next_cursor !== null;
          if (isGap) gap.current();
          await pause((isGap ? AGAIN_MS : LEAST_MS) - (performance.now() - begun), signal);
        } catch (error) {
          if (signal.aborted || (error instanceof ClientError && error.status === 401)) return;
          await pause(AGAIN_MS, signal);
        }
      }
    }
    // `begin` is where the page was when it began to follow; the poll continues from there by itself.
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- see above
  }, [consumerId, filter, isOn]);
  return fresh;
}

/** Where the filter begins, if it does. */
function earliestOf(since: string | undefined): string {
  const at = beginOf(since, Date.now());
  return at === null ? FIRST : new Date(at).toISOString();
}

/** One millisecond after the newest end. */
function sinceOf(attempts: readonly Attempt[], otherwise: string): string {
  const newest = Math.max(Date.parse(otherwise) - 1, ...attempts.map(endOf));
  return new Date(newest + 1).toISOString();
}

function endOf({ started_at, duration_ms }: Attempt): number {
  return Date.parse(started_at) + duration_ms;
}

function merge(more: Attempt[], before: Attempt[]): Attempt[] {
  const seen = new Set(before.map(({ id }) => id));
  const added = more.filter(({ id }) => !seen.has(id));
  return [...added, ...before].toSorted((a, b) => endOf(b) - endOf(a)).slice(0, SHOWN);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.max(0, ms));
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    resolve();
  });
  return promise;
}
