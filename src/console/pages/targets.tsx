import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import type { Target } from '../../schema/target.ts';
import { AddNew } from '../addNew.tsx';
import { api } from '../api.ts';
import { useList, useWhole } from '../queries.ts';
import { shownUrl } from '../targets/shownUrl.ts';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { SearchBox } from '../ui/field.tsx';
import { PageHead } from '../ui/panel.tsx';
import { StatusBadge } from '../ui/statusBadge.tsx';
import { TimeText, useTimeWidth } from '../ui/timeText.tsx';

/** Every endpoint that webhooks go to. */
export function TargetsPage() {
  const list = useList(['targets'], (cursor) => api.targets.list({ cursor }), { everyMs: 10_000 });
  const [text, setText] = useState('');
  const wanted = text.trim().toLowerCase();
  useWhole(list, wanted !== '');
  const rows = list.rows.filter((target) =>
    `${target.name} ${shownUrl(target)}`.toLowerCase().includes(wanted),
  );
  return (
    <>
      <PageHead title="Targets">
        <AddNew kind="target" />
      </PageHead>
      <SearchBox label="Search names and URLs" value={text} onChange={setText} />
      <DataTable
        what="targets"
        columns={columnsOf(useTimeWidth())}
        list={{ ...list, rows }}
        rowKey={({ id }) => id}
        rowHref={({ id }) => `/targets/${id}`}
        isFiltered={wanted !== ''}
        onClearFilters={() => setText('')}
        empty={{
          title: 'No target yet',
          text: 'A target is an HTTP endpoint with its credentials. Consumers send to it.',
          action: <AddNew kind="target" />,
        }}
      />
    </>
  );
}

function columnsOf(timeWidth: string): Column<Target>[] {
  return [
    {
      id: 'name',
      title: 'Name',
      width: 'minmax(0,2fr)',
      cell: (target) => (
        <Link
          to="/targets/$id"
          params={{ id: target.id }}
          className="foreign block truncate font-medium hover:underline"
        >
          {target.name}
        </Link>
      ),
    },
    {
      id: 'url',
      title: 'Base URL',
      width: 'minmax(0,3fr)',
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
      width: '5.5rem',
      cell: ({ health }) => <StatusBadge status={health.status} />,
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
