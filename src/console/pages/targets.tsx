import { Link, useNavigate, useSearch } from '@tanstack/react-router';

import type { Target } from '../../schema/target.ts';
import { AddNew } from '../addNew.tsx';
import { useNarrow } from '../narrow.ts';
import { textOf } from '../search.ts';
import { shownUrl } from '../targets/shownUrl.ts';
import { useTargets } from '../targets/useTargets.ts';
import { useTyped } from '../typed.ts';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { SearchBox } from '../ui/field.tsx';
import { PageHead } from '../ui/panel.tsx';
import { TargetBadge } from '../ui/statusBadge.tsx';
import { TimeText, useTimeWidth } from '../ui/timeText.tsx';

export interface TargetsSearch {
  q?: string;
}

export function targetsSearch(search: Record<string, unknown>): TargetsSearch {
  const q = textOf(search, 'q');
  return { ...(q !== undefined && { q }) };
}

/** Every endpoint that webhooks go to. */
export function TargetsPage() {
  const { q = '' }: TargetsSearch = useSearch({ from: '/inside/targets' });
  const navigate = useNavigate();
  const search = (text: string): void =>
    void navigate({ to: '/targets', search: targetsSearch({ q: text }), replace: true });
  const [text, setText] = useTyped(q, search);
  const list = useTargets(q, { everyMs: 10_000 });
  return (
    <>
      <PageHead title="Targets">
        <AddNew kind="target" />
      </PageHead>
      <SearchBox label="Search names and URLs" value={text} onChange={setText} />
      <DataTable
        what="targets"
        columns={columnsOf(useTimeWidth(), useNarrow())}
        list={list}
        rowKey={({ id }) => id}
        rowHref={({ id }) => `/targets/${id}`}
        isFiltered={q !== ''}
        onClearFilters={() => search('')}
        empty={{
          title: 'No target yet',
          text: 'A target is an HTTP endpoint with its credentials. Consumers send to it.',
          action: <AddNew kind="target" />,
        }}
      />
    </>
  );
}

/** On a phone the URL is under the name. */
function columnsOf(timeWidth: string, isNarrow: boolean): Column<Target>[] {
  return [
    {
      id: 'name',
      title: 'Name',
      width: 'minmax(0,2fr)',
      cell: (target) => (
        <>
          <Link
            to="/targets/$id"
            params={{ id: target.id }}
            className="foreign line-clamp-2 font-medium hover:underline sm:line-clamp-1"
          >
            {target.name}
          </Link>
          {isNarrow && (
            <span className="foreign line-clamp-2 text-xs text-soft">{shownUrl(target)}</span>
          )}
        </>
      ),
    },
    {
      id: 'url',
      title: 'Base URL',
      width: 'minmax(0,3fr)',
      isExtra: true,
      cell: (target) => <span className="foreign block truncate">{shownUrl(target)}</span>,
    },
    {
      id: 'credentials',
      title: 'Credentials',
      width: '7rem',
      isExtra: true,
      cell: ({ credentials }) => credentials.type,
    },
    {
      id: 'health',
      title: 'Health',
      width: '7.25rem',
      cell: (target) => <TargetBadge target={target} />,
    },
    {
      id: 'changed',
      title: 'Changed',
      width: timeWidth,
      isExtra: true,
      cell: ({ updated_at }) => <TimeText at={updated_at} />,
    },
  ];
}
