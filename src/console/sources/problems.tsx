import type { SourceProblem } from '../../schema/source.ts';
import { api } from '../api.ts';
import { useNarrow } from '../narrow.ts';
import { useList } from '../queries.ts';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { TimeText, useTimeWidth } from '../ui/timeText.tsx';
import { number } from '../words.ts';

const EVERY_MS = 3_000;

/** The rows of a source that could not be turned into records, by table and reason. */
export function SourceProblems({ id }: { id: string }) {
  const list = useList(
    ['source', id, 'problems'],
    (cursor) => api.sources.problems(id, { cursor }),
    { everyMs: EVERY_MS },
  );
  return (
    <>
      {list.rows.length > 0 && (
        <p className="text-soft">
          These rows could not be turned into records, and everything else went on. Mend a row, and
          its change comes by itself; or read its table again.
        </p>
      )}
      <DataTable
        what="problems"
        columns={columnsOf(useTimeWidth(), useNarrow())}
        list={list}
        rowKey={({ table, reason }) => `${table} ${reason}`}
        empty={{
          title: 'No problem',
          text: 'Every row that was read has become a record. One that cannot is counted here, with the reason, and does not stop the others.',
        }}
      />
    </>
  );
}

/** On a phone the reason and the record are under the table. */
function columnsOf(timeWidth: string, isNarrow: boolean): Column<SourceProblem>[] {
  return [
    {
      id: 'table',
      title: 'Table',
      width: 'minmax(0,2fr)',
      cell: ({ table, reason, upstream_id }) => (
        <>
          <span className="foreign line-clamp-2 font-medium">{table}</span>
          {isNarrow && (
            <span className="foreign line-clamp-4 text-xs text-soft">
              {reason}
              {upstream_id !== null && `; last record: ${upstream_id}`}
            </span>
          )}
        </>
      ),
    },
    {
      id: 'reason',
      title: 'Reason',
      width: 'minmax(0,4fr)',
      isExtra: true,
      cell: ({ reason }) => <span className="foreign line-clamp-3">{reason}</span>,
    },
    {
      id: 'count',
      title: 'Rows',
      width: '4.5rem',
      align: 'right',
      cell: ({ count }) => number(count),
    },
    {
      id: 'record',
      title: 'Last record',
      width: 'minmax(0,1.5fr)',
      isExtra: true,
      cell: ({ upstream_id }) => (
        <span className="foreign line-clamp-2 font-mono">{upstream_id ?? 'key not readable'}</span>
      ),
    },
    {
      id: 'lsn',
      title: 'In the log at',
      width: '9rem',
      isExtra: true,
      cell: ({ first_lsn, last_lsn }) => (
        <span className="foreign font-mono text-xs text-soft">
          {first_lsn === last_lsn ? last_lsn : `${first_lsn} – ${last_lsn}`}
        </span>
      ),
    },
    {
      id: 'last',
      title: 'Last',
      width: timeWidth,
      cell: ({ last_at }) => <TimeText at={last_at} />,
    },
  ];
}
