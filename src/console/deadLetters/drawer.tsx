import { useQuery } from '@tanstack/react-query';

import { ActButton } from '../act.tsx';
import { api } from '../api.ts';
import { prettyText } from '../pretty.ts';
import { Code } from '../ui/copyText.tsx';
import { Drawer } from '../ui/dialog.tsx';
import { Failed, Loading } from '../ui/notice.tsx';
import { Facts } from '../ui/panel.tsx';
import { TimeText } from '../ui/timeText.tsx';
import { number } from '../words.ts';
import { failureOf } from './failure.ts';

/** One dead letter: the request, the answer, and when. */
export function LetterDrawer(props: {
  consumer: string;
  id: string;
  onClose: () => void;
  onAct: (kind: 'replay' | 'delete') => void;
}) {
  const { consumer, id } = props;
  const { data, error, refetch } = useQuery({
    queryKey: ['dead-letters', consumer, 'one', id],
    queryFn: () => api.deadLetters.get(consumer, id),
  });
  return (
    <Drawer
      open
      onClose={props.onClose}
      title={
        <span className="line-clamp-2">
          {data === undefined ? 'Dead letter' : `Dead letter of ${data.upstream_id}`}
        </span>
      }
      description={data?.collection_id}
    >
      {data === undefined && error !== null && (
        <Failed error={error} again={() => void refetch()} />
      )}
      {data === undefined && error === null && <Loading what="the dead letter" />}
      {data !== undefined && (
        <>
          <div className="flex flex-wrap gap-2">
            <ActButton needs="manage" kind="main" onClick={() => props.onAct('replay')}>
              Replay…
            </ActButton>
            <ActButton needs="manage" kind="danger" onClick={() => props.onAct('delete')}>
              Delete…
            </ActButton>
          </div>
          <Facts
            facts={[
              ['Last failure', <b key="failure">{failureOf(data.last_failure)}</b>],
              ['Detail', data.last_failure.detail],
              ['Last attempt', <TimeText key="at" at={data.last_failure.at} />],
              ['Attempts', number(data.attempts)],
              ['Parked', <TimeText key="parked" at={data.parked_at} />],
              ['Failed at', <TimeText key="died" at={data.died_at} />],
              ['Record', <code key="record">{data.upstream_id}</code>],
              ['Sync', <code key="sync">{data.sync_id}</code>],
              data.event === null ? null : ['Event type', data.event],
              ['Position', number(data.position)],
              ['webhook-id', <code key="message">{data.message_id}</code>],
            ]}
          />
          {data.last_failure.response_head === null ? (
            <p className="text-soft">There was no response.</p>
          ) : (
            <Code label="Last response" text={data.last_failure.response_head} />
          )}
          <Code label="The whole body" text={data.body} formatted={prettyText(data.body)} />
        </>
      )}
    </Drawer>
  );
}
