import { useQuery } from '@tanstack/react-query';

import { requestUrl } from '../../rules/requestUrl.ts';
import type { Consumer } from '../../schema/consumer.ts';
import { api } from '../api.ts';

/** The URL of a consumer's webhooks, that of its target where its path can't be read; undefined while it is read. */
export function useUrl({ target_id, path }: Consumer): string | undefined {
  const { data: target } = useTargetOf(target_id);
  return target === undefined ? undefined : (requestUrl(target.base_url, path) ?? target.base_url);
}

/** The target of a consumer. */
export function useTargetOf(targetId: string) {
  return useQuery({ queryKey: ['target', targetId], queryFn: () => api.targets.get(targetId) });
}
