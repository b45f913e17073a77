import { keepPreviousData, useQuery } from '@tanstack/react-query';

import { api, type Attempt } from '../api.ts';
import { createTurns } from '../turns.ts';

/** How old the answer may get before it is read again, ms. */
const KEPT_MS = 15_000;
/** How many are read concurrently: a browser has six connections, and the page needs some of them. */
const turn = createTurns(2);

/** The newest delivery of a consumer: undefined while it is read, null when there is none among the attempts kept. */
export function useLastDelivery(consumerId: string, enabled = true): Attempt | null | undefined {
  const { data } = useQuery({
    queryKey: ['attempts', consumerId, 'last-delivered'],
    queryFn: ({ signal }) =>
      turn(() => api.consumers.attempts(consumerId, { outcome: 'delivered', limit: 1 }), signal),
    enabled,
    refetchInterval: KEPT_MS,
    staleTime: KEPT_MS,
    placeholderData: keepPreviousData,
    retry: false,
  });
  return data === undefined ? undefined : (data.data[0] ?? null);
}
