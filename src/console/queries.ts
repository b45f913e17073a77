import {
  MutationCache,
  QueryCache,
  QueryClient,
  notifyManager,
  useInfiniteQuery,
  useQueryClient,
  type QueryKey,
} from '@tanstack/react-query';
import { useMemo } from 'react';

import type { Page } from '../api/client.ts';
import { ClientError } from './api.ts';

/** Whether the API has answered the last request; the layout shows it. */
export const connection = createFlag(true);

function createFlag(initial: boolean) {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set: (next: boolean) => {
      if (next === value) return;
      value = next;
      listeners.forEach((listener) => listener());
    },
    subscribe: (listener: () => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/**
 * Creates the query client. Reads are repeated while the API does not answer; a 401 calls `onSignedOut`. What is pressed
 * right after a button finds that its change is under way: a second press and Escape are events of their own, and may
 * come before a timer, but not before a microtask.
 */
export function createQueries(onSignedOut: () => void): QueryClient {
  notifyManager.setScheduler(queueMicrotask);
  const onError = (error: unknown): void => {
    if (!(error instanceof ClientError)) return;
    if (error.status === 401) onSignedOut();
    connection.set(error.status !== 0);
  };
  return new QueryClient({
    queryCache: new QueryCache({ onError, onSuccess: () => connection.set(true) }),
    mutationCache: new MutationCache({ onError, onSuccess: () => connection.set(true) }),
    defaultOptions: {
      queries: {
        staleTime: 1_000,
        retry: (count, error) => isPassing(error) && count < 2,
        retryDelay: (count) => 500 * 2 ** count,
        networkMode: 'always',
      },
      mutations: { networkMode: 'always' },
    },
  });
}

function isPassing(error: unknown): boolean {
  return error instanceof ClientError && (error.status === 0 || error.status >= 500);
}

export interface Reads {
  /** Shows the answer to a change in the place of what was read under exactly this key. */
  replace(queryKey: QueryKey, answer: unknown): Promise<void>;
  /** Reads all anew whose key begins like one of these, and ends when what is shown has been read. */
  again(...queryKeys: QueryKey[]): Promise<void>;
}

/**
 * What pages have read, for a component that has changed some of it. A read that began before the change may answer
 * with what was before it, so it is given up: neither TanStack's `setQueryData` nor a first read's `invalidateQueries`
 * does so.
 */
export function useReads(): Reads {
  const queries = useQueryClient();
  return useMemo(() => readsOf(queries), [queries]);
}

function readsOf(queries: QueryClient): Reads {
  return {
    replace: async (queryKey, answer) => {
      await queries.cancelQueries({ queryKey, exact: true });
      queries.setQueryData(queryKey, answer);
    },
    again: async (...queryKeys) => {
      await Promise.all(queryKeys.map((queryKey) => queries.cancelQueries({ queryKey })));
      await Promise.all(queryKeys.map((queryKey) => queries.invalidateQueries({ queryKey })));
    },
  };
}

export interface ListOptions {
  /** How often the newest page is read again, ms, as long as no further page has been opened. */
  everyMs?: number;
  enabled?: boolean;
}

/** Reads a list of the API by its cursor: `rows` are those read so far, `more()` reads the next page. */
export function useList<T>(
  key: QueryKey,
  read: (cursor: string | undefined) => Promise<Page<T>>,
  { everyMs, enabled = true }: ListOptions = {},
) {
  const query = useInfiniteQuery({
    queryKey: key,
    enabled,
    queryFn: ({ pageParam }) => read(pageParam),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last: Page<T>) => last.next_cursor ?? undefined,
    refetchInterval: ({ state }) =>
      everyMs !== undefined && (state.data?.pages.length ?? 0) < 2 ? everyMs : false,
  });
  return {
    rows: query.data?.pages.flatMap((page) => page.data) ?? [],
    isLoading: query.isPending && enabled,
    error: query.error,
    hasMore: query.hasNextPage,
    isLoadingMore: query.isFetchingNextPage,
    more: () => void query.fetchNextPage(),
    again: (): void => void query.refetch(),
  };
}

/** The state of a list, which a table shows. */
export type List<T> = Omit<ReturnType<typeof useList>, 'rows'> & { rows: T[] };
