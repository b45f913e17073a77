import { Link } from '@tanstack/react-router';

import type { Source, SourceTable, SourceTableState } from '../../schema/source.ts';
import { ActButton } from '../act.tsx';
import { useNarrow } from '../narrow.ts';
import type { List } from '../queries.ts';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { Badge, type Tone } from '../ui/statusBadge.tsx';
import { number } from '../words.ts';
import type { Commands } from './useSourceCommands.tsx';

const LOOKS: Record<SourceTableState, [tone: Tone, shape: string, text: string]> = {
  waiting: ['idle', '○', 'waiting'],
  reading: ['accent', '↓', 'reading'],
  asking: ['warn', '▲', 'asks'],
  following: ['ok', '●', 'following'],
  gone: ['bad', '✕', 'gone'],
};

/** The tables of a source: how far each is read, and the command that reads it again. */
export function SourceTables({ source, commands }: { source: Source; commands: Commands }) {
  return (
    <DataTable
      what="tables"
      columns={columnsOf(source, commands, useNarrow())}
      list={whole(source.tables)}
      rowKey={({ table }) => table}
      empty={{ title: 'No table', text: 'Select tables in its settings.' }}
    />
  );
}

/** A list that is known as a whole. */
function whole<T>(rows: T[]): List<T> {
  return {
    rows,
    isLoading: false,
    error: null,
    hasMore: false,
    isLoadingMore: false,
    more: () => undefined,
    again: () => undefined,
  };
}

/** On a phone the numbers and the command are under the name. */
function columnsOf(source: Source, commands: Commands, isNarrow: boolean): Column<SourceTable>[] {
  const act = (table: SourceTable) => (
    <TableAct source={source} table={table} commands={commands} />
  );
  return [
    {
      id: 'table',
      title: 'Table',
      width: 'minmax(0,3fr)',
      cell: (table) => (
        <>
          <Link
            to="/streams"
            search={{ stream: 'records', sync: source.sync_id, collection: table.collection_id }}
            className="foreign line-clamp-2 font-medium hover:underline"
          >
            {table.table}
          </Link>
          {table.detail !== null && (
            <span className="foreign line-clamp-3 text-xs text-soft">{table.detail}</span>
          )}
          {isNarrow && (
            <>
              <span className="block text-xs text-soft">
                {number(table.rows)} rows read, {number(table.changes)} changes
              </span>
              {act(table)}
            </>
          )}
        </>
      ),
    },
    {
      id: 'state',
      title: 'State',
      width: '7rem',
      cell: ({ state }) => {
        const [tone, shape, text] = LOOKS[state];
        return <Badge tone={tone} shape={shape} text={text} />;
      },
    },
    {
      id: 'collection',
      title: 'Collection',
      width: 'minmax(0,3fr)',
      isExtra: true,
      cell: ({ collection_id }) => (
        <span className="foreign line-clamp-2 text-soft">{collection_id}</span>
      ),
    },
    {
      id: 'rows',
      title: 'Rows read',
      width: '8rem',
      align: 'right',
      isExtra: true,
      cell: ({ rows }) => number(rows),
    },
    {
      id: 'changes',
      title: 'Changes',
      width: '8rem',
      align: 'right',
      isExtra: true,
      cell: ({ changes }) => number(changes),
    },
    { id: 'act', title: 'Command', width: '7rem', align: 'right', isExtra: true, cell: act },
  ];
}

function TableAct(props: { source: Source; table: SourceTable; commands: Commands }) {
  const { source, table, commands } = props;
  if (source.status === 'deleting') return null;
  return (
    <ActButton
      needs="manage"
      aria-label={`Read again: ${table.table}`}
      onClick={() => commands.ask({ verb: 'read', tables: [table.table] })}
    >
      Read again
    </ActButton>
  );
}
