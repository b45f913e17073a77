import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Fragment, useState } from 'react';

import type { Trouble } from '../../schema/overview.ts';
import type { Status } from '../../schema/status.ts';
import { api } from '../api.ts';
import { Button } from '../ui/button.tsx';
import { Failed, Loading } from '../ui/notice.tsx';
import { Panel } from '../ui/panel.tsx';
import { Badge, StatusBadge } from '../ui/statusBadge.tsx';
import { DueText, TimeText } from '../ui/timeText.tsx';
import { number } from '../words.ts';
import { TroubleActs } from './actOnAll.tsx';
import { Apart } from './apart.tsx';
import { causeOf, keyOf, manyOf } from './trouble.ts';

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
  const { target_id, target_name, status, since, next_attempt_at, gives_up_at } = trouble;
  return (
    <li className="flex flex-wrap items-center justify-between gap-x-4 gap-y-2 py-2 first:pt-0 last:pb-0">
      <div className="flex min-w-0 flex-1 basis-72 flex-col gap-0.5">
        <span className="flex min-w-0 items-center gap-2">
          {status === 'cannot_start' ? (
            <Badge tone="bad" shape="■" text="can't send" />
          ) : (
            <StatusBadge status={status} />
          )}
          {!isOfPage && (
            <Link
              to="/targets/$id"
              params={{ id: target_id }}
              className="foreign truncate font-semibold hover:underline"
            >
              {target_name}
            </Link>
          )}
        </span>
        <span className="foreign">
          <Whom trouble={trouble} />: <span className="font-medium">{causeOf(trouble)}</span>
          {since !== null && (
            <>
              {status === 'stopped' ? ', failing since ' : ' since '}
              <TimeText at={since} isMinute />
            </>
          )}
          {next_attempt_at !== null && (
            <>
              , next attempt <DueText at={next_attempt_at} />
            </>
          )}
          {gives_up_at !== null && (
            <>
              , gives up <TimeText at={gives_up_at} isMinute />
            </>
          )}
        </span>
      </div>
      {!isOfPage && <TroubleActs trouble={trouble} />}
    </li>
  );
}

/** The number of consumers, as a link to them; a few by their names as well. */
function Whom({ trouble }: { trouble: Trouble }) {
  const { target_id, status, named, of } = trouble;
  const those = status === 'cannot_start' ? ({ has: status } as const) : { status };
  const search = { target: target_id, ...those };
  return (
    <>
      <Link to="/consumers" search={search} className="underline">
        {manyOf(trouble)}
      </Link>
      {named.length > 0 && (
        <>
          {of === 1 ? ', ' : ' ('}
          {named.map(({ consumer_id: id, name }, index) => (
            <Fragment key={id}>
              {index > 0 && ', '}
              <Link to="/consumers/$id" params={{ id }} className="underline">
                {name}
              </Link>
            </Fragment>
          ))}
          {of === 1 ? '' : ')'}
        </>
      )}
    </>
  );
}
