import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Fragment, useState } from 'react';

import type { Trouble } from '../../schema/overview.ts';
import type { Status } from '../../schema/status.ts';
import { api } from '../api.ts';
import { timeForm, useSetting } from '../settings.ts';
import { Button } from '../ui/button.tsx';
import { Failed, Loading } from '../ui/notice.tsx';
import { Panel } from '../ui/panel.tsx';
import { Badge, StatusBadge } from '../ui/statusBadge.tsx';
import { DueText, SinceText, TimeText } from '../ui/timeText.tsx';
import { number } from '../words.ts';
import { TroubleActs } from './actOnAll.tsx';
import { Apart } from './apart.tsx';
import { causeOf, keyOf, manyOf, oneOf, waitingText } from './trouble.ts';

const EVERY_MS = 5_000;
/** So many groups are shown first, so that the charts are not far below. */
const FEW = 5;

/** The things that need someone: endpoints that fail, by target and cause, and parked entries and dead letters. */
export function Troubles({ figures }: { figures: Status['figures'] }) {
  const { data, error, refetch } = useQuery({
    queryKey: ['troubles'],
    queryFn: api.troubles,
    refetchInterval: EVERY_MS,
  });
  const hasParked = (figures?.parked ?? 0) > 0;
  const hasLetters = (figures?.dead_letters ?? 0) > 0;
  const isWell = data?.data.length === 0;
  const [isAll, setAll] = useState(false);
  const groups = data?.data ?? [];
  const further = isAll ? 0 : Math.max(0, groups.length - FEW);
  return (
    <Panel title="Trouble">
      {data === undefined && error === null && <Loading what="troubles" />}
      {data === undefined && error !== null && (
        <Failed error={error} again={() => void refetch()} />
      )}
      {isWell && <Well what="No endpoint fails, and no consumer is stopped." />}
      {groups.length > 0 && (
        <ul aria-label="Troubles" className="flex flex-col divide-y divide-line">
          {groups.slice(0, groups.length - further).map((trouble) => (
            <Group key={keyOf(trouble)} trouble={trouble} />
          ))}
        </ul>
      )}
      {further > 0 && (
        <div>
          <Button onClick={() => setAll(true)}>Show {number(further)} more</Button>
        </div>
      )}
      {data !== undefined && data.total > data.data.length && (
        <p className="text-soft">
          {number(data.total - data.data.length)} more: see the consumers that are{' '}
          <Link to="/consumers" search={{ status: 'stopped' }} className="underline">
            stopped
          </Link>
          ,{' '}
          <Link to="/consumers" search={{ status: 'blocked' }} className="underline">
            blocked
          </Link>{' '}
          or that{' '}
          <Link to="/consumers" search={{ has: 'cannot_start' }} className="underline">
            can't send
          </Link>
          .
        </p>
      )}
      {isWell && figures !== null && !hasParked && !hasLetters && (
        <Well what="No entry is parked, and there are no dead letters." />
      )}
      {(hasParked || hasLetters) && (
        <div className="grid grid-cols-1 gap-4 border-t border-line pt-3 lg:grid-cols-2">
          {hasParked && <Apart has="parked" title="Parked entries: retried beside the others" />}
          {hasLetters && <Apart has="dead_letters" title="Dead letters: replay or delete them" />}
        </div>
      )}
    </Panel>
  );
}

function Well({ what }: { what: string }) {
  return (
    <p className="text-soft">
      <span aria-hidden className="text-ok">
        ✓
      </span>{' '}
      {what}
    </p>
  );
}

/** One trouble: its cause, its consumers, since when and until when. `isOfPage`: the page is that of its target. */
export function Group({ trouble, isOfPage = false }: { trouble: Trouble; isOfPage?: boolean }) {
  const { status, consumer_id } = trouble;
  return (
    <li className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 py-2 first:pt-0 last:pb-0">
      <div className="flex min-w-0 flex-1 basis-72 flex-col gap-0.5">
        <span className="flex min-w-0 flex-wrap items-center gap-x-2">
          {status === 'cannot_start' ? (
            <Badge tone="bad" shape="■" text="can't send" />
          ) : (
            <StatusBadge status={status} />
          )}
          {consumer_id !== null ? (
            <One trouble={trouble} id={consumer_id} isOfPage={isOfPage} />
          ) : (
            !isOfPage && <TargetLink trouble={trouble} isMain />
          )}
        </span>
        <span className="foreign">
          {consumer_id === null && (
            <>
              <Those trouble={trouble} />
              {': '}
            </>
          )}
          <span className="font-medium">{causeOf(trouble)}</span>
          <Times trouble={trouble} /> {waitingText(trouble)}
        </span>
      </div>
      {!isOfPage && <TroubleActs trouble={trouble} />}
    </li>
  );
}

/** Since when it has been so, when it is tried again, and until when, as the end of a sentence. */
function Times({ trouble }: { trouble: Trouble }) {
  const { status, consumers, since, next_attempt_at, gives_up_at } = trouble;
  const isRelative = useSetting(timeForm) === 'relative';
  return (
    <>
      {since !== null && (
        <>
          {status === 'cannot_start' ? ', ' : ', failing '}
          <SinceText at={since} />
        </>
      )}
      {next_attempt_at !== null && (
        <>
          , next attempt <DueText at={next_attempt_at} />
        </>
      )}
      {gives_up_at !== null && (
        <>
          {consumers === 1 ? ', ' : ', the first '}
          gives up <TimeText at={gives_up_at} isMinute={!isRelative} /> and then stops
        </>
      )}
      .
    </>
  );
}

/** The consumer alone that has the trouble, and of which target it is. */
function One(props: { trouble: Trouble; id: string; isOfPage: boolean }) {
  const { trouble, id, isOfPage } = props;
  return (
    <>
      <Link
        to="/consumers/$id"
        params={{ id }}
        className="foreign min-w-0 font-semibold hover:underline"
      >
        {trouble.consumer_name}
      </Link>
      <span className="foreign min-w-0 text-soft">
        <Link to="/consumers" search={listOf(trouble)} className="underline">
          {oneOf(trouble.of)}
        </Link>
        {!isOfPage && (
          <>
            {' of '}
            <TargetLink trouble={trouble} />
          </>
        )}
      </span>
    </>
  );
}

function TargetLink({ trouble, isMain = false }: { trouble: Trouble; isMain?: boolean }) {
  const { target_id: id, target_name } = trouble;
  return (
    <Link
      to="/targets/$id"
      params={{ id }}
      className={`foreign ${isMain ? 'min-w-0 font-semibold hover:underline' : 'underline'}`}
    >
      {target_name}
    </Link>
  );
}

function listOf({ target_id, status }: Trouble) {
  const those = status === 'cannot_start' ? ({ has: status } as const) : { status };
  return { target: target_id, ...those };
}

/** The number of consumers, as a link to them; a few by their names as well. */
function Those({ trouble }: { trouble: Trouble }) {
  const { named } = trouble;
  return (
    <>
      <Link to="/consumers" search={listOf(trouble)} className="underline">
        {manyOf(trouble)}
      </Link>
      {named.length > 0 && (
        <>
          {' ('}
          {named.map(({ consumer_id: id, name }, index) => (
            <Fragment key={id}>
              {index > 0 && ', '}
              <Link to="/consumers/$id" params={{ id }} className="underline">
                {name}
              </Link>
            </Fragment>
          ))}
          )
        </>
      )}
    </>
  );
}
