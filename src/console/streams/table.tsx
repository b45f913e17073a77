import type { ReactNode } from 'react';

import type { StreamName } from '../../schema/stream.ts';
import { useNarrow } from '../narrow.ts';
import type { List } from '../queries.ts';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { Badge, type Tone } from '../ui/statusBadge.tsx';
import { TimeText, useTimeWidth } from '../ui/timeText.tsx';
import { number } from '../words.ts';
import { idOf, positionOf, timeOf, typeOf, type StreamEntry } from './entry.ts';
const LOOKS: Record<string, [Tone, string]> = {
  created: ['ok', '+'],
  updated: ['accent', '~'],
  deleted: ['bad', '−'],
};

/** Entries of a stream, in the order of the list. */
export function EntryTable(props: {
  stream: StreamName;
  list: List<StreamEntry>;
  onOpen: (entry: StreamEntry) => void;
  isFiltered: boolean;
  onClearFilters: () => void;
  empty: { title: string; text: ReactNode; action: ReactNode };
}) {
  return (
    <DataTable
      what={props.stream}
      columns={columnsOf(props.onOpen, useTimeWidth(), useNarrow())}
      list={props.list}
      rowKey={idOf}
      onOpen={props.onOpen}
      isFiltered={props.isFiltered}
      onClearFilters={props.onClearFilters}
      empty={props.empty}
    />
  );
}

/** On a phone the collection is under the record. */
function columnsOf(
  onOpen: (entry: StreamEntry) => void,
  timeWidth: string,
  isNarrow: boolean,
): Column<StreamEntry>[] {
  return [
    {
      id: 'position',
      title: 'Position',
      width: '5.5rem',
      align: 'right',
      isExtra: true,
      cell: (entry) => number(positionOf(entry)),
    },
    {
      id: 'type',
      title: 'Type',
      width: '6rem',
      cell: (entry) => {
        const type = typeOf(entry);
        const [tone, shape] = LOOKS[type] ?? ['idle', '○'];
        return <Badge tone={tone} shape={shape} text={type} />;
      },
    },
    {
      id: 'record',
      title: 'Record',
      width: 'minmax(0,1.5fr)',
      cell: (entry) => (
        <>
          <button
            type="button"
            onClick={() => onOpen(entry)}
            className="foreign line-clamp-2 text-left font-mono underline"
          >
            {entry.upstream_id}
          </button>
          {isNarrow && (
            <span className="foreign line-clamp-2 text-xs text-soft">{entry.collection_id}</span>
          )}
        </>
      ),
    },
    {
      id: 'collection',
      title: 'Collection',
      width: 'minmax(0,1.3fr)',
      isExtra: true,
      cell: ({ collection_id }) => <span className="foreign line-clamp-2">{collection_id}</span>,
    },
    {
      id: 'sync',
      title: 'Sync',
      width: 'minmax(0,1fr)',
      isExtra: true,
      cell: ({ sync_id }) => <span className="foreign line-clamp-2">{sync_id}</span>,
    },
    {
      id: 'data',
      title: 'Data',
      width: 'minmax(0,2.5fr)',
      isExtra: true,
      cell: ({ data }) => (
        <span className="foreign line-clamp-2 font-mono text-xs text-soft">{glimpse(data)}</span>
      ),
    },
    {
      id: 'at',
      title: 'Appended',
      width: timeWidth,
      cell: (entry) => <TimeText at={timeOf(entry)} />,
    },
  ];
}

const FIELDS = 6;
const LENGTH = 40;

/** The first fields of an object, short; data may be a megabyte, so nothing is printed whole. */
function glimpse(data: unknown): string {
  if (typeof data !== 'object' || data === null || isNumber(data)) return cut(data);
  if (Array.isArray(data)) return `[${number(data.length)} values]`;
  const fields = Object.entries(data as Record<string, unknown>);
  const first = fields.slice(0, FIELDS).map(([name, value]) => `${name}: ${cut(value)}`);
  return fields.length > FIELDS ? `${first.join(', ')}, …` : first.join(', ');
}

function cut(value: unknown): string {
  if (typeof value === 'object' && value !== null && !isNumber(value)) {
    return Array.isArray(value) ? '[…]' : '{…}';
  }
  if (typeof value === 'string' && value.length > LENGTH) {
    return `${JSON.stringify(value.slice(0, LENGTH))}…`;
  }
  return JSON.stringify(value) ?? 'null';
}

/** A number whose digits are kept as text, see `parseExactly`. */
function isNumber(value: object): boolean {
  return (JSON as { isRawJSON?: (value: object) => boolean }).isRawJSON?.(value) === true;
}
