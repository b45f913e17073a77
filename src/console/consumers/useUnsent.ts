import { useQuery } from '@tanstack/react-query';

import { lengthMs } from '../../rules/lengths.ts';
import type { Consumer } from '../../schema/consumer.ts';
import { api } from '../api.ts';
import { useInfo } from '../info.ts';

const EVERY_MS = 2_000;

/**
 * Whether nothing has matched a consumer's filter yet: nothing waits, nothing was set aside, and no attempt was ever
 * made. False while that is not known, and for a consumer that is older than attempts are kept.
 */
export function useUnsent(consumer: Consumer): boolean {
  const { data: info } = useInfo();
  const { id, lag, parked, dead_letters, created_at } = consumer;
  const keptMs = lengthMs(info?.retention.attempts);
  const isYoung = keptMs !== null && Date.now() - Date.parse(created_at) < keptMs;
  const isIdle = lag.entries === 0 && parked === 0 && dead_letters === 0;
  const { data } = useQuery({
    queryKey: ['attempts', id, 'first'],
    queryFn: () => api.consumers.attempts(id, { limit: 1 }),
    enabled: isYoung && isIdle,
    // What was sent once is not unsent again.
    refetchInterval: ({ state }) => (state.data?.data.length === 0 ? EVERY_MS : false),
    staleTime: ({ state }) => (state.data?.data.length === 0 ? EVERY_MS : Infinity),
    retry: false,
  });
  return isYoung && isIdle && data?.data.length === 0;
}
