import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';

import { AddNew } from '../addNew.tsx';
import { api } from '../api.ts';
import { FirstRun } from '../firstRun.tsx';
import { LastAlerts, LastChanges } from '../overview/recent.tsx';
import { SourceTroubles } from '../overview/sourceTroubles.tsx';
import { Strip } from '../overview/strip.tsx';
import { System } from '../overview/system.tsx';
import { Totals } from '../overview/totals.tsx';
import { Troubles } from '../overview/troubles.tsx';
import { RANGE_NAMES, type Range } from '../ranges.ts';
import { wordOf } from '../search.ts';
import { Failed, Loading } from '../ui/notice.tsx';
import { PageHead } from '../ui/panel.tsx';

const EVERY_MS = 5_000;

export interface OverviewSearch {
  range?: Range;
}

export function overviewSearch(search: Record<string, unknown>): OverviewSearch {
  const range = wordOf(search, 'range', RANGE_NAMES);
  return range === undefined ? {} : { range };
}

/** The state of the installation, troubles first; while there is no consumer yet, the way to the first delivery. */
export function OverviewPage() {
  const newest = useQuery({
    queryKey: ['consumers', 'newest'],
    queryFn: () => api.consumers.list({ limit: 2 }),
    refetchInterval: EVERY_MS,
  });
  const first = newest.data?.data.length === 1 ? newest.data.data[0] : undefined;
  const attempts = useQuery({
    queryKey: ['attempts', first?.id, 'first'],
    queryFn: () => api.consumers.attempts(first?.id ?? '', { limit: 1 }),
    enabled: first !== undefined,
    retry: false,
  });
  const [isGuided, setGuided] = useState(false);
  if (newest.data === undefined) {
    if (newest.error === null) return <Loading what="the consumers" />;
    return <Failed error={newest.error} again={() => void newest.refetch()} />;
  }
  const isNew =
    newest.data.data.length === 0 || (first !== undefined && attempts.data?.data.length === 0);
  if (isNew && !isGuided) setGuided(true); // it is shown until the page is left, so that its end can be seen
  if (isGuided || isNew) return <FirstRun />;
  return (
    <>
      <PageHead title="Overview">
        <AddNew kind="consumer" />
      </PageHead>
      <Everything />
    </>
  );
}

function Everything() {
  const { range = '1h' }: OverviewSearch = useSearch({ from: '/inside/' });
  const navigate = useNavigate();
  const { data, error, refetch } = useQuery({
    queryKey: ['status'],
    queryFn: api.status,
    refetchInterval: EVERY_MS,
  });
  const onRange = (next: Range): void =>
    void navigate({ to: '/', search: next === '1h' ? {} : { range: next }, replace: true });
  return (
    <>
      {data === undefined && error === null && <Loading what="the overview" />}
      {data === undefined && error !== null && (
        <Failed error={error} again={() => void refetch()} />
      )}
      {data !== undefined && data.figures !== null && <Strip figures={data.figures} />}
      <Troubles figures={data?.figures ?? null} />
      <SourceTroubles />
      <Totals range={range} onRange={onRange} />
      <div className="grid grid-cols-1 gap-4 md:grid-cols-2">
        <LastAlerts />
        <LastChanges />
      </div>
      {data !== undefined && <System status={data} />}
    </>
  );
}
