import { useQuery } from '@tanstack/react-query';

import type { Alert } from '../../schema/alert.ts';
import type { Change } from '../../schema/consumer.ts';
import { api } from '../api.ts';

const EVERY_MS = 10_000;
/** How many of the newest ones are read: more could not be distinguished in a chart. */
const READ = 100;

/** The recent history of a consumer. */
export interface ConsumerHistory {
  /** Newest first. */
  changes: Change[];
  /** Newest first. */
  alerts: Alert[];
}

/** The newest changes and alerts of a consumer; `seen` reads them again as soon as it is another value. */
export function useHistory(consumerId: string, seen: string): ConsumerHistory {
  const changes = useQuery({
    queryKey: ['changes', consumerId, 'newest', seen],
    queryFn: () => api.changes({ consumer_id: consumerId, limit: READ }),
    refetchInterval: EVERY_MS,
    placeholderData: (before) => before,
    retry: false,
  });
  const alerts = useQuery({
    queryKey: ['alerts', consumerId, 'newest', seen],
    queryFn: () => api.consumers.alerts(consumerId, { limit: READ }),
    refetchInterval: EVERY_MS,
    placeholderData: (before) => before,
    retry: false,
  });
  return { changes: changes.data?.data ?? NONE, alerts: alerts.data?.data ?? NONE };
}

const NONE: never[] = [];
