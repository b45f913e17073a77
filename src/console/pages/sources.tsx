import { Link, useNavigate, useSearch } from '@tanstack/react-router';

import { sizeInWords } from '../../rules/words.ts';
import type { Source } from '../../schema/source.ts';
import { AddNew } from '../addNew.tsx';
import { api } from '../api.ts';
import { useNarrow } from '../narrow.ts';
import { useList } from '../queries.ts';
import { textOf } from '../search.ts';
import { badgeOf } from '../sources/state.ts';
import { useTyped } from '../typed.ts';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { SearchBox } from '../ui/field.tsx';
import { PageHead } from '../ui/panel.tsx';
import { Badge } from '../ui/statusBadge.tsx';
import { TimeText, useTimeWidth } from '../ui/timeText.tsx';
import { number } from '../words.ts';

const EVERY_MS = 5_000;

export interface SourcesSearch {
  q?: string;
}

export function sourcesSearch(search: Record<string, unknown>): SourcesSearch {
  const q = textOf(search, 'q');
  return q === undefined ? {} : { q };
}

/** Every database whose tables are followed. */
export function SourcesPage() {
  const { q = '' }: SourcesSearch = useSearch({ from: '/inside/sources' });
  const navigate = useNavigate();
  const search = (text: string): void =>
    void navigate({ to: '/sources', search: sourcesSearch({ q: text }), replace: true });
  const [text, setText] = useTyped(q, search);
  const list = useList(
    ['sources', 'list', q],
    (cursor) => api.sources.list({ cursor, ...(q !== '' && { q }) }),
    { everyMs: EVERY_MS },
  );
  return (
    <>
      <PageHead
        title="Sources"
        below={
          <p className="text-soft">
            Databases whose rows become records, and every change of a row an event.
          </p>
        }
      >
        <AddNew kind="source" />
      </PageHead>
      <SearchBox label="Search names and URLs" value={text} onChange={setText} />
      <DataTable
        what="sources"
        columns={columnsOf(useTimeWidth(), useNarrow())}
        list={list}
        rowKey={({ id }) => id}
        rowHref={({ id }) => `/sources/${id}`}
        isFiltered={q !== ''}
        onClearFilters={() => search('')}
        empty={{
          title: 'No source yet',
          text: (
            <>
              A source is a Postgres database: its tables are read, and then every change of them is
              followed. Records can also be{' '}
              <a href="/docs/appending" target="_blank" rel="noreferrer" className="underline">
                appended by the API
              </a>{' '}
              or come from{' '}
              <a href="/docs/connectors" target="_blank" rel="noreferrer" className="underline">
                any connector
              </a>
              .
            </>
          ),
          action: <AddNew kind="source" />,
        }}
      />
    </>
  );
}

/** On a phone the database is under the name. */
function columnsOf(timeWidth: string, isNarrow: boolean): Column<Source>[] {
  return [
    {
      id: 'name',
      title: 'Name',
      width: 'minmax(0,2fr)',
      cell: ({ id, name, url }) => (
        <>
          <Link
            to="/sources/$id"
            params={{ id }}
            className="foreign line-clamp-2 font-medium hover:underline sm:line-clamp-1"
          >
            {name}
          </Link>
          {isNarrow && <span className="foreign line-clamp-2 text-xs text-soft">{url}</span>}
        </>
      ),
    },
    {
      id: 'url',
      title: 'Database',
      width: 'minmax(0,3fr)',
      isExtra: true,
      cell: ({ url }) => <span className="foreign block truncate">{url}</span>,
    },
    {
      id: 'tables',
      title: 'Tables',
      width: '4rem',
      align: 'right',
      isExtra: true,
      cell: ({ tables }) => number(tables.length),
    },
    {
      id: 'status',
      title: 'Status',
      width: '7rem',
      cell: (source) => <Badge {...badgeOf(source)} />,
    },
    {
      id: 'lag',
      title: 'Lag',
      width: '5rem',
      align: 'right',
      cell: ({ lag }) => (lag === null ? '–' : sizeInWords(lag.bytes)),
    },
    {
      id: 'change',
      title: 'Changed',
      width: timeWidth,
      isExtra: true,
      cell: ({ last_change_at }) => <TimeText at={last_change_at} />,
    },
  ];
}
