import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import { api } from '../api.ts';
import { buttonLook } from '../ui/button.tsx';
import { Failed, Loading, Notice } from '../ui/notice.tsx';
import { Panel } from '../ui/panel.tsx';
import { TimeText } from '../ui/timeText.tsx';

/** Offers the consumers whose latest alerts reported dead letters. */
export function Lately() {
  const { data, error, isPending, refetch } = useQuery({
    queryKey: ['alerts', 'dead-letters', 'lately'],
    queryFn: () => api.alerts({ kind: 'dead-letters', limit: 100 }),
  });
  if (isPending) return <Loading what="alerts" />;
  if (error !== null) return <Failed error={error} again={() => void refetch()} />;
  const newest = [...new Map(data.data.toReversed().map((one) => [one.consumer_id, one])).values()];
  if (newest.length === 0) {
    return (
      <Notice
        title="No consumer has had dead letters lately"
        text="An entry becomes one when it fails by itself for the whole retry window, while others are taken. Choose a consumer above to be sure."
      >
        <Link to="/consumers" className={buttonLook()}>
          To the consumers
        </Link>
      </Notice>
    );
  }
  return (
    <Panel title="Consumers with alerts of dead letters">
      <ul className="flex flex-col divide-y divide-line">
        {newest
          .toSorted((a, b) => b.at.localeCompare(a.at))
          .map(({ consumer_id, detail, at }) => (
            <li
              key={consumer_id}
              className="flex flex-wrap items-center justify-between gap-2 py-2"
            >
              <Link
                to="/dead-letters"
                search={{ consumer: consumer_id }}
                className="foreign line-clamp-2 min-w-0 font-medium underline"
              >
                {typeof detail['name'] === 'string' ? detail['name'] : consumer_id}
              </Link>
              <span className="text-soft">
                alert <TimeText at={at} />
              </span>
            </li>
          ))}
      </ul>
    </Panel>
  );
}
