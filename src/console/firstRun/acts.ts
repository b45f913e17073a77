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
  const sendSample = useMutation({ mutationFn: (to: Consumer) => appendSample(to, 'free') });
  const sendChange = useMutation({ mutationFn: (to: Consumer) => appendSample(to, 'pro') });
  const error = createTarget.error ?? createConsumer.error ?? sendSample.error ?? sendChange.error;
  return { createTarget, createConsumer, sendSample, sendChange, error };
}

/**
 * A version of a sample record that passes the consumer's filter, as far as that is known here. Each version is a
 * change, as it has the time in it; Millrace makes the event of it.
 */
function appendSample({ syncs, collections }: Consumer, plan: 'free' | 'pro') {
  return api.append.records([
    {
      sync_id: syncs[0] === '*' ? 'sample' : (syncs[0] ?? 'sample'),
      collection_id:
        collections[0] === '*' ? 'sample:customer' : (collections[0] ?? 'sample:customer'),
      upstream_id: 'cus_1',
      data: { id: 'cus_1', name: 'Ada Lovelace', plan, updated_at: new Date().toISOString() },
    },
  ]);
}
