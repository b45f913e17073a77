import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useState } from 'react';

import type { Source } from '../../schema/source.ts';
import { ActButton } from '../act.tsx';
import { api, isGone } from '../api.ts';
import { useIsBeingDeleted } from '../deletion.ts';
import type { SourceSearch, SourceTab } from '../latePages.ts';
import { useNarrow } from '../narrow.ts';
import { SourceBands, SourceNotes } from '../sources/bands.tsx';
import { mainVerb } from '../sources/commands.ts';
import type { SourceDraft } from '../sources/draft.ts';
import { SourceNumbers } from '../sources/numbers.tsx';
import { SourceProblems } from '../sources/problems.tsx';
import { SourceSettings } from '../sources/settings.tsx';
import { badgeOf, sentenceOf, stateOf } from '../sources/state.ts';
import { SourceTables } from '../sources/tables.tsx';
import { useSourceCommands, type Commands } from '../sources/useSourceCommands.tsx';
import { buttonLook } from '../ui/button.tsx';
import { Failed, Loading } from '../ui/notice.tsx';
import { PageHead } from '../ui/panel.tsx';
import { Badge } from '../ui/statusBadge.tsx';
import { Tabs } from '../ui/tabs.tsx';
import { useNow } from '../ui/timeText.tsx';
import { number } from '../words.ts';

const EVERY_MS = 2_000;

/** One source: how it is, its tables, what of them could not be read, and its settings. */
export function SourcePage() {
  const { id } = useParams({ from: '/inside/sources/$id' });
  const isBeingDeleted = useIsBeingDeleted(id);
  const query = useQuery({
    queryKey: ['source', id],
    queryFn: () => api.sources.get(id),
    refetchInterval: EVERY_MS,
    enabled: !isBeingDeleted,
  });
  if (query.data === undefined || isGone(query.error)) {
    if (query.error === null) return <Loading what="the source" />;
    return (
      <Failed error={query.error} again={() => void query.refetch()}>
        <Link to="/sources" className={buttonLook()}>
          Back to sources
        </Link>
      </Failed>
    );
  }
  return <Loaded key={id} source={query.data} />;
}

function Loaded({ source }: { source: Source }) {
  const { id, problems, tables } = source;
  const { tab = 'tables' }: SourceSearch = useSearch({ from: '/inside/sources/$id' });
  const navigate = useNavigate();
  const commands = useSourceCommands(source);
  const isNarrow = useNarrow();
  const [edits, setEdits] = useState<Partial<SourceDraft>>({});
  const open = (next: SourceTab): void =>
    void navigate({
      to: '/sources/$id',
      params: { id },
      search: next === 'tables' ? {} : { tab: next },
      replace: true,
      resetScroll: false,
    });
  return (
    <>
      <Head source={source} commands={commands} />
      <SourceBands source={source} commands={commands} onOpen={open} />
      <SourceNotes source={source} onOpen={open} />
      {!isNarrow && <SourceNumbers source={source} />}
      <Tabs
        label="Parts of the source"
        chosen={tab}
        onChoose={open}
        tabs={[
          {
            id: 'tables',
            title: `Tables (${number(tables.length)})`,
            content: <SourceTables source={source} commands={commands} />,
          },
          {
            id: 'problems',
            title: problems === 0 ? 'Problems' : `Problems (${number(problems)})`,
            content: <SourceProblems id={id} />,
          },
          {
            id: 'settings',
            title: Object.keys(edits).length === 0 ? 'Settings' : 'Settings, unsaved',
            content: <SourceSettings source={source} edits={edits} onEdit={setEdits} />,
          },
        ]}
      />
      {isNarrow && <SourceNumbers source={source} />}
      {commands.dialog}
    </>
  );
}

/** Its name and status, what it does, and the commands for all of it. */
function Head({ source, commands }: { source: Source; commands: Commands }) {
  const { id, name, url, tables, status } = source;
  const verb = mainVerb(source);
  const state = stateOf(source, useNow());
  const readable = tables.filter(({ state: one }) => one !== 'gone').map(({ table }) => table);
  return (
    <PageHead
      name={name}
      title={
        <span className="flex flex-wrap items-center gap-x-2">
          <span className="line-clamp-3">{name}</span> <Badge {...badgeOf(source)} />
        </span>
      }
      below={
        <>
          <p className="foreign line-clamp-2 text-soft">
            {url}{' '}
            <Link to="/alerts" search={{ source: id }} className="underline">
              Its alerts
            </Link>
          </p>
          {state === null && (
            <p data-sentence className="foreign mt-0.5">
              {sentenceOf(source)}
            </p>
          )}
        </>
      }
    >
      {verb !== null && verb !== state?.verb && (
        <ActButton
          needs="manage"
          kind={verb === 'resume' ? 'main' : 'plain'}
          onClick={() => commands.ask({ verb })}
        >
          {verb === 'resume' ? 'Resume' : 'Pause'}
        </ActButton>
      )}
      {status !== 'deleting' && readable.length > 0 && (
        <ActButton needs="manage" onClick={() => commands.ask({ verb: 'read', tables: readable })}>
          Read again
        </ActButton>
      )}
    </PageHead>
  );
}
