import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import type { Page } from '../../api/client.ts';
import { AlertAbout } from '../alerts/about.tsx';
import { gist, KindBadge } from '../alerts/kind.tsx';
import { api } from '../api.ts';
import { changeSentence } from '../changes/changeText.ts';
import { ConsumerName } from '../consumerName.tsx';
import { Failed, Loading } from '../ui/notice.tsx';
import { Panel } from '../ui/panel.tsx';
import { Sentence } from '../ui/sentence.tsx';
import { TimeText } from '../ui/timeText.tsx';

const EVERY_MS = 10_000;
const SHOWN = 5;

/** The last alerts, each with its text. */
export function LastAlerts() {
  const query = useQuery({
    queryKey: ['alerts', 'overview'],
    queryFn: () => api.alerts({ limit: SHOWN }),
    refetchInterval: EVERY_MS,
  });
  const all = (
    <Link to="/alerts" className="text-xs underline">
      All alerts
    </Link>
  );
  return (
    <Recent title="Last alerts" all={all} what="alerts" none="No alerts yet." query={query}>
      {(alert) => (
        <>
          <Head at={alert.at} what={<KindBadge kind={alert.kind} />}>
            <AlertAbout alert={alert} />
          </Head>
          <span className="foreign line-clamp-2 text-xs text-soft">{gist(alert)}</span>
        </>
      )}
    </Recent>
  );
}

/** The last changes of consumers, with their authors. */
export function LastChanges() {
  const query = useQuery({
    queryKey: ['changes', 'overview'],
    queryFn: () => api.changes({ limit: SHOWN }),
    refetchInterval: EVERY_MS,
  });
  const all = (
    <Link to="/settings" search={{ tab: 'changes' }} className="text-xs underline">
      All changes
    </Link>
  );
  const none = 'No changes yet.';
  return (
    <Recent title="Last changes" all={all} what="changes" none={none} query={query}>
      {(change) => (
        <>
          <Head at={change.at}>
            <ConsumerName id={change.consumer_id} />
          </Head>
          <span className="foreign line-clamp-2 text-xs text-soft">
            <Sentence text={changeSentence(change)} at={change.at} />
          </span>
        </>
      )}
    </Recent>
  );
}

/** A panel with the newest of a list, and the link to all of it. */
function Recent<One extends { id: string }>(props: {
  title: string;
  all: ReactNode;
  what: string;
  none: string;
  query: UseQueryResult<Page<One>>;
  children: (one: One) => ReactNode;
}) {
  const { data, error, refetch } = props.query;
  return (
    <Panel title={props.title} actions={props.all}>
      {data === undefined && error === null && <Loading what={props.what} />}
      {data === undefined && error !== null && (
        <Failed error={error} again={() => void refetch()} />
      )}
      {data?.data.length === 0 && <p className="text-soft">{props.none}</p>}
      <ul className="flex flex-col gap-2">
        {data?.data.map((one) => (
          <li key={one.id} className="flex min-w-0 flex-col gap-0.5">
            {props.children(one)}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Head(props: { what?: ReactNode; at: string; children: ReactNode }) {
  return (
    <span className="flex min-w-0 items-baseline gap-2">
      {props.what}
      <span className="min-w-0 flex-1">{props.children}</span>
      <span className="text-xs text-soft">
        <TimeText at={props.at} />
      </span>
    </span>
  );
}
