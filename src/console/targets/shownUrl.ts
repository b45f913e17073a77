import type { Target } from '../../schema/target.ts';

/** A target's URL with both forms of its host where that is internationalised, as it may only look like another one. */
export function shownUrl({ base_url, idn_hosts }: Pick<Target, 'base_url' | 'idn_hosts'>): string {
  const host = idn_hosts.find(({ pointer }) => pointer === '/base_url');
  return host === undefined ? base_url : `${base_url} (${host.unicode} is ${host.ascii})`;
}
