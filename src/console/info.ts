import { useQuery } from '@tanstack/react-query';

import { api } from './api.ts';

/** What runs: version, region, retention, where Temporal is. */
export function useInfo() {
  return useQuery({ queryKey: ['info'], queryFn: api.info, staleTime: 300_000 });
}
