import { useMutation } from '@tanstack/react-query';

import type { Consumer } from '../../schema/consumer.ts';
import type { Target } from '../../schema/target.ts';
import { api } from '../api.ts';
import { useReads } from '../queries.ts';
import { SAMPLE, sampleData } from '../streams/sampleEntry.ts';

export type FirstActs = ReturnType<typeof useFirstActs>;

/** The acts of the first run, and the error of the one that failed last. */
export function useFirstActs() {
  const reads = useReads();
  const createTarget = useMutation({
    mutationFn: (base_url: string) => api.targets.create({ name: 'Built-in receiver', base_url }),
    onSuccess: () => reads.again(['targets']),
  });
  const createConsumer = useMutation({
    mutationFn: ({ id }: Target) =>
      api.consumers.create({ name: 'My first consumer', target_id: id, stream: 'events' }),
    onSuccess: () => reads.again(['consumers']),
  });
  const sendSample = useMutation({ mutationFn: (to: Consumer) => appendSample(to, 'free') });
  const sendChange = useMutation({ mutationFn: (to: Consumer) => appendSample(to, 'pro') });
  const error = createTarget.error ?? createConsumer.error ?? sendSample.error ?? sendChange.error;
  return { createTarget, createConsumer, sendSample, sendChange, error };
}

/** A version of the sample that passes the consumer's filter, as far as that is known here; Millrace makes the event of it. */
function appendSample({ syncs, collections }: Consumer, plan: 'free' | 'pro') {
  const [sync = '*'] = syncs;
  const [collection = '*'] = collections;
  return api.append.records([
    {
      ...SAMPLE,
      ...(sync !== '*' && { sync_id: sync }),
      ...(collection !== '*' && { collection_id: collection }),
      data: sampleData(plan, new Date()),
    },
  ]);
}
