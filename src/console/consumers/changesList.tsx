import { whoIs } from '../../rules/who.ts';
import type { Change } from '../../schema/consumer.ts';
import { api } from '../api.ts';
import { changeSentence, whatChanged } from '../changes/changeText.ts';
import { useNarrow } from '../narrow.ts';
import { useList } from '../queries.ts';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { Sentence } from '../ui/sentence.tsx';
import { TimeText, useTimeWidth } from '../ui/timeText.tsx';

/** The changes of a consumer in words, such as a pause or an edit, with their authors and times. */
export function ChangesList({ consumerId }: { consumerId: string }) {
  const list = useList(
    ['changes', consumerId],
    (cursor) => api.changes({ consumer_id: consumerId, cursor }),
    { everyMs: 5_000 },
  );
  return (
    <DataTable
      what="changes"
      columns={columnsOf(useTimeWidth(), useNarrow())}
      list={list}
      rowKey={({ id }) => id}
      empty={{ title: 'No changes yet', text: 'Commands and edits are listed here.' }}
    />
  );
}

function columnsOf(timeWidth: string, isNarrow: boolean): Column<Change>[] {
  return [
    { id: 'at', title: 'Time', width: timeWidth, cell: ({ at }) => <TimeText at={at} /> },
    {
      id: 'what',
      title: 'Change',
      width: 'minmax(0,4fr)',
      cell: (change) => (
        <span className="foreign line-clamp-4">
          <Sentence text={isNarrow ? changeSentence(change) : whatChanged(change)} at={change.at} />
        </span>
      ),
    },
    {
      id: 'actor',
      title: 'By',
      width: 'minmax(0,1fr)',
      isExtra: true,
      cell: ({ actor }) => <span className="foreign line-clamp-2">{whoIs(actor)}</span>,
    },
  ];
}
