import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import { api } from '../api.ts';
import { badgeOf, troubleOf } from '../sources/state.ts';
import { Panel } from '../ui/panel.tsx';
import { Badge } from '../ui/statusBadge.tsx';
import { useNow } from '../ui/timeText.tsx';

const EVERY_MS = 5_000;
const MOST = 100;

/** The sources that are not read, or that ask something; nothing while all are followed. */
export function SourceTroubles() {
  const now = useNow();
  const { data } = useQuery({
    queryKey: ['sources', 'overview'],
    queryFn: () => api.sources.list({ limit: MOST }),
    refetchInterval: EVERY_MS,
  });
  const troubles = (data?.data ?? []).flatMap((source) => {
    const text = troubleOf(source, now);
    return text === null ? [] : [{ source, text }];
  });
  if (troubles.length === 0) return null;
  return (
    <Panel title="Sources">
      <ul aria-label="Sources in trouble" className="flex flex-col divide-y divide-line">
        {troubles.map(({ source, text }) => (
          <li key={source.id} className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1 py-2">
            <Link
              to="/sources/$id"
              params={{ id: source.id }}
              className="foreign line-clamp-2 font-medium underline"
            >
              {source.name}
            </Link>
            <Badge {...badgeOf(source)} />
            <span className="foreign line-clamp-3 min-w-0 flex-1 basis-60">{text}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
