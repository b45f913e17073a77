import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import { api, ClientError } from './api.ts';
import type { AsideTab } from './consumers/asideTab.ts';

/** A link to a consumer by its name, or by its id while the name is read and after the consumer is deleted. */
export function ConsumerName(props: {
  id: string;
  known?: string | undefined;
  /** The part of its page to which the link leads. */
  tab?: AsideTab | undefined;
}) {
  const { id, known, tab } = props;
  const { data, error } = useQuery({
    queryKey: ['consumer', id, 'name'],
    queryFn: () => api.consumers.get(id),
    enabled: known === undefined,
    staleTime: 300_000,
  });
  if (error instanceof ClientError && error.status === 404) {
    return <span className="foreign text-soft">{id} (deleted)</span>;
  }
  return (
    <Link
      to="/consumers/$id"
      params={{ id }}
      search={tab === undefined ? {} : { tab }}
      className="foreign line-clamp-2 underline"
    >
      {known ?? data?.name ?? id}
    </Link>
  );
}
