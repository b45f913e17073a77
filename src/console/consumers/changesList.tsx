import type { Change } from '../../schema/consumer.ts';
import { api } from '../api.ts';
import { useList } from '../queries.ts';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { TimeText } from '../ui/timeText.tsx';

const COLUMNS: Column<Change>[] = [
  { id: 'at', title: 'Time', width: '11rem', cell: ({ at }) => <TimeText at={at} /> },
  { id: 'action', title: 'Action', width: '7rem', cell: ({ action }) => action },
  {
    id: 'actor',
    title: 'By',
    width: 'minmax(4rem,10rem)',
    cell: ({ actor }) => <span className="foreign block truncate">{actor}</span>,
  },
  {
    id: 'detail',
    title: 'Detail',
    isExtra: true,
    cell: ({ detail }) => (
      <span className="foreign block truncate font-mono text-xs">{JSON.stringify(detail)}</span>
    ),
  },
];

/** The changes of a consumer, such as a pause or an edit, with their authors and times. */
export function ChangesList({ consumerId }: { consumerId: string }) {
  const list = useList(
    ['changes', consumerId],
    (cursor) => api.changes({ consumer_id: consumerId, cursor }),
    { everyMs: 5_000 },
  );
  return (
    <DataTable
      what="changes"
      columns={COLUMNS}
      list={list}
      rowKey={({ id }) => id}
      empty={{ title: 'Nothing was changed yet', text: 'Commands and edits are noted here.' }}
    />
  );
}
