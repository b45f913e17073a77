import { useQuery } from '@tanstack/react-query';

import { api } from '../api.ts';

/** The most that one page of the API holds. */
const MOST = 1_000;
const FEW = 100;
const EVERY_MS = { few: 5_000, many: 30_000 };

/** Reads the consumers of a target again and again: all of them, or the newest 1,000. */
export function useConsumersOf(targetId: string) {
  return useQuery({
    queryKey: ['consumers', 'together', targetId],
    queryFn: () => api.consumers.list({ target_id: targetId, limit: MOST }),
    refetchInterval: ({ state }) =>
      (state.data?.data.length ?? 0) > FEW ? EVERY_MS.many : EVERY_MS.few,
  });
}
