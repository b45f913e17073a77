import type { DeadLetter } from '../../schema/deadLetter.ts';
import type { List } from '../queries.ts';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { TimeText, useTimeWidth } from '../ui/timeText.tsx';
import { ATTEMPTS, entryColumn, LAST_FAILURE } from './columns.tsx';

/** Dead letters, newest first, each with a box to select it. */
export function LetterTable(props: {
  list: List<DeadLetter>;
  chosen: ReadonlySet<string>;
  onChoose: (chosen: ReadonlySet<string>) => void;
  onOpen: (id: string) => void;
  isFiltered: boolean;
  onClearFilters: () => void;
}) {
  const { list, chosen, onChoose, onOpen } = props;
  const timeWidth = useTimeWidth();
  const toggle = (id: string): void => {
    const next = new Set(chosen);
    if (!next.delete(id)) next.add(id);
    onChoose(next);
  };
  const columns: Column<DeadLetter>[] = [
    {
      id: 'choose',
      title: 'Select',
      width: '3.25rem',
      cell: ({ id, upstream_id }) => (
        <label className="flex min-h-8 items-center justify-center">
          <input
            type="checkbox"
            aria-label={`Select the dead letter of ${upstream_id.slice(0, 60)}`}
            checked={chosen.has(id)}
            onChange={() => toggle(id)}
          />
        </label>
      ),
    },
    entryColumn<DeadLetter>(({ id, upstream_id }) => (
      <button
        type="button"
        onClick={() => onOpen(id)}
        className="foreign line-clamp-1 text-left font-mono underline"
      >
        {upstream_id}
      </button>
    )),
    LAST_FAILURE,
    ATTEMPTS,
    {
      id: 'died',
      title: 'Failed at',
      width: timeWidth,
      cell: ({ died_at }) => <TimeText at={died_at} />,
    },
  ];
  return (
    <DataTable
      what="dead letters"
      columns={columns}
      list={list}
      rowKey={({ id }) => id}
      onOpen={({ id }) => onOpen(id)}
      isFiltered={props.isFiltered}
      onClearFilters={props.onClearFilters}
      empty={{
        title: 'No dead letters',
        text: 'This consumer has no dead letters: its entries were delivered, or are still being tried.',
      }}
    />
  );
}
