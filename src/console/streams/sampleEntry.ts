/** The record that the guide sends, and that the form of a sample begins with. */
export const SAMPLE = {
  sync_id: 'sample',
  collection_id: 'sample:customer',
  upstream_id: 'cus_1',
} as const;

/** The data of the sample. It has the time in it, so that each version is a change, which has an event. */
export function sampleData(plan: 'free' | 'pro', now: Date): object {
  return { id: SAMPLE.upstream_id, name: 'Ada Lovelace', plan, updated_at: now.toISOString() };
}
