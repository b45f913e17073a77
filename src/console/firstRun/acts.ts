import { useMutation, useQueryClient } from '@tanstack/react-query';

import type { Consumer } from '../../schema/consumer.ts';
import type { Target } from '../../schema/target.ts';
import { api } from '../api.ts';

export type FirstActs = ReturnType<typeof useFirstActs>;

/** The acts of the first run, and the error of the one that failed last. */
export function useFirstActs() {
  const queries = useQueryClient();
  const createTarget = useMutation({
    mutationFn: (base_url: string) => api.targets.create({ name: 'Built-in receiver', base_url }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['targets'] }),
  });
  const createConsumer = useMutation({
    mutationFn: ({ id }: Target) =>
      api.consumers.create({ name: 'My first consumer', target_id: id, stream: 'events' }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['consumers'] }),
  });
  const sendSample = useMutation({ mutationFn: (to: Consumer) => appendSample(to) });
  const error = createTarget.error ?? createConsumer.error ?? sendSample.error;
  return { createTarget, createConsumer, sendSample, error };
}

/** An event that passes the consumer's filter, as far as that is known here. */
function appendSample({ syncs, collections }: Consumer) {
  const now = new Date().toISOString();
  return api.append.events([
    {
      sync_id: syncs[0] === '*' ? 'sample' : (syncs[0] ?? 'sample'),
      collection_id:
        collections[0] === '*' ? 'sample:customer' : (collections[0] ?? 'sample:customer'),
      upstream_id: 'cus_1',
      event: 'created',
      data: { id: 'cus_1', name: 'Ada Lovelace', created_at: now },
    },
  ]);
}
