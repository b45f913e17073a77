import { useQuery } from '@tanstack/react-query';

import { api } from './api.ts';

/** Facts about the installation: version, region, retention, and where Temporal is. */
export function useInfo() {
  return useQuery({ queryKey: ['info'], queryFn: api.info, staleTime: 300_000 });
}
