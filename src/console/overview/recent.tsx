import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import { gist, KindBadge, nameIn } from '../alerts/kind.tsx';
import { api } from '../api.ts';
import { ConsumerName } from '../consumerName.tsx';
import { Failed, Loading } from '../ui/notice.tsx';
import { Panel } from '../ui/panel.tsx';
import { TimeText } from '../ui/timeText.tsx';

const EVERY_MS = 10_000;
const SHOWN = 5;

/** The last alerts, each with what it said. */
export function LastAlerts() {
  const { data, error, refetch } = useQuery({
    queryKey: ['alerts', 'overview'],
    queryFn: () => api.alerts({ limit: SHOWN }),
    refetchInterval: EVERY_MS,
  });
  return (
    <Panel
      title="Last alerts"
      actions={
        <Link to="/alerts" className="text-xs underline">
          All alerts
        </Link>
      }
    >
      {data === undefined && error === null && <Loading what="alerts" />}
      {data === undefined && error !== null && (
        <Failed error={error} again={() => void refetch()} />
      )}
      {data?.data.length === 0 && <p className="text-soft">No alerts yet.</p>}
      <ul className="flex flex-col gap-2">
        {data?.data.map((alert) => (
          <li key={alert.id} className="flex min-w-0 flex-col gap-0.5">
            <span className="flex min-w-0 items-baseline gap-2">
              <KindBadge kind={alert.kind} />
              <span className="min-w-0 flex-1">
                <ConsumerName id={alert.consumer_id} known={nameIn(alert)} />
              </span>
              <span className="text-xs text-soft">
                <TimeText at={alert.at} />
              </span>
            </span>
            <span className="foreign line-clamp-2 text-xs text-soft">{gist(alert)}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** The last changes of consumers: who did what. */
export function LastChanges() {
  const { data, error, refetch } = useQuery({
    queryKey: ['changes', 'overview'],
    queryFn: () => api.changes({ limit: SHOWN }),
    refetchInterval: EVERY_MS,
  });
  return (
    <Panel
      title="Last changes"
      actions={
        <Link to="/settings" search={{ tab: 'changes' }} className="text-xs underline">
          All changes
        </Link>
      }
    >
      {data === undefined && error === null && <Loading what="changes" />}
      {data === undefined && error !== null && (
        <Failed error={error} again={() => void refetch()} />
      )}
      {data?.data.length === 0 && <p className="text-soft">Nothing was changed yet.</p>}
      <ul className="flex flex-col gap-2">
        {data?.data.map((change) => (
          <li key={change.id} className="flex min-w-0 flex-col gap-0.5">
            <span className="flex min-w-0 items-baseline gap-2">
              <span className="font-medium">{change.action}</span>
              <span className="min-w-0 flex-1">
                <ConsumerName id={change.consumer_id} />
              </span>
              <span className="text-xs text-soft">
                <TimeText at={change.at} />
              </span>
            </span>
            <span className="foreign truncate text-xs text-soft">by {change.actor}</span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
