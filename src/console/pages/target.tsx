import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useCallback, useState } from 'react';

import type { Target } from '../../schema/target.ts';
import { ActButton } from '../act.tsx';
import { api, isGone } from '../api.ts';
import { filterIn } from '../consumers/attemptFilter.ts';
import { useIsBeingDeleted } from '../deletion.ts';
import { targetSearch, type TargetSearch } from '../latePages.ts';
import { useNarrow } from '../narrow.ts';
import { useOpened } from '../opened.ts';
import { TargetActs } from '../targets/acts.tsx';
import { TargetCharts } from '../targets/charts.tsx';
import { TargetConsumers } from '../targets/consumers.tsx';
import { TargetDeliveries } from '../targets/deliveries.tsx';
import type { TargetDraft } from '../targets/draft.ts';
import { useFirstRange } from '../targets/firstRange.ts';
import { TargetHealth } from '../targets/health.tsx';
import { countOf } from '../targets/healthText.ts';
import { TargetSecret, TargetSettings } from '../targets/settings.tsx';
import { shownUrl } from '../targets/shownUrl.ts';
import { TestResult } from '../targets/testResult.tsx';
import { useConsumersOf } from '../targets/useConsumersOf.ts';
import { testedText } from '../targets/waitingText.ts';
import { buttonLook } from '../ui/button.tsx';
import { Failed, Loading, Unsaved } from '../ui/notice.tsx';
import { PageHead, Panel } from '../ui/panel.tsx';
import { TargetBadge } from '../ui/statusBadge.tsx';
import { Tabs } from '../ui/tabs.tsx';
import { number } from '../words.ts';

/** One target: its health and the reasons, its deliveries, its consumers, its secret and its settings. */
export function TargetPage() {
  const { id } = useParams({ from: '/inside/targets/$id' });
  const isBeingDeleted = useIsBeingDeleted(id);
  const query = useQuery({
    queryKey: ['target', id],
    queryFn: () => api.targets.get(id),
    refetchInterval: 5_000,
    enabled: !isBeingDeleted,
  });
  if (query.data === undefined || isGone(query.error)) {
    if (query.error === null) return <Loading what="the target" />;
    return (
      <Failed error={query.error} again={() => void query.refetch()}>
        <Link to="/targets" className={buttonLook()}>
          Back to targets
        </Link>
      </Failed>
    );
  }
  return <Loaded target={query.data} key={id} />;
}

function Loaded({ target }: { target: Target }) {
  const { id } = target;
  const search: TargetSearch = useSearch({ from: '/inside/targets/$id' });
  const navigate = useNavigate();
  const set = useCallback(
    (change: Record<string, string | undefined>, replace = true) =>
      void navigate({
        to: '/targets/$id',
        params: { id },
        search: (before) => targetSearch({ ...before, ...change }),
        replace,
        resetScroll: false,
      }),
    [navigate, id],
  );
  const onOpen = useOpened((delivery, replace) => set({ delivery }, replace));
  const [edits, setEdits] = useState<Partial<TargetDraft>>({});
  const isNarrow = useNarrow();
  const firstRange = useFirstRange(id);
  const charts = (
    <TargetCharts
      targetId={id}
      range={search.range ?? firstRange}
      onRange={(range) => set({ range })}
    />
  );
  const deliveries = (
    <TargetDeliveries
      targetId={id}
      hasConsumers={countOf(target.consumers) > 0}
      filter={filterIn(search)}
      onFilter={(change) => set(change)}
      opened={search.delivery}
      onOpen={onOpen}
    />
  );
  const isEdited = Object.keys(edits).length > 0;
  return (
    <>
      <Head target={target} />
      <TargetHealth target={target} />
      <Tabs
        label="Parts of the target"
        chosen={search.tab ?? 'deliveries'}
        onChoose={(tab) => set({ tab, delivery: undefined })}
        tabs={[
          {
            id: 'deliveries',
            title: 'Deliveries',
            content: (
              <>
                {!isNarrow && charts}
                {deliveries}
                {isNarrow && charts}
              </>
            ),
          },
          {
            id: 'consumers',
            title: `Consumers (${number(countOf(target.consumers))})`,
            content: <TargetConsumers targetId={id} />,
          },
          { id: 'verify', title: 'Verify', content: <TargetSecret target={target} /> },
          {
            id: 'settings',
            title: isEdited ? 'Settings, unsaved' : 'Settings',
            content: <TargetSettings target={target} edits={edits} onEdit={setEdits} />,
          },
        ]}
      />
    </>
  );
}

/** Which address a test webhook tries, where consumers send to others. */
function Tested({ target }: { target: Target }) {
  const { data } = useConsumersOf(target.id);
  const text = testedText(target.base_url, data?.data ?? []);
  if (text === null) return null;
  return <p className="foreign w-full max-w-96 text-xs text-soft sm:text-right">{text}</p>;
}

/** Its name and health, the commands for it, and the outcome of a test webhook. */
function Head({ target }: { target: Target }) {
  const test = useMutation({ mutationFn: ({ id }: Target) => api.targets.test(id) });
  return (
    <>
      <PageHead
        name={target.name}
        title={
          <span className="flex flex-wrap items-center gap-x-2">
            <span className="line-clamp-3">{target.name}</span> <TargetBadge target={target} />
          </span>
        }
        below={<p className="foreign line-clamp-2 text-soft">{shownUrl(target)}</p>}
      >
        <ActButton needs="manage" busy={test.isPending} onClick={() => test.mutate(target)}>
          Send test webhook
        </ActButton>
        <TargetActs target={target} which="others" />
        <Tested target={target} />
      </PageHead>
      <Unsaved error={test.error} />
      {test.data !== undefined && (
        <Panel title="Test webhook">
          <TestResult test={test.data} isOlder={test.variables.updated_at !== target.updated_at} />
        </Panel>
      )}
    </>
  );
}
