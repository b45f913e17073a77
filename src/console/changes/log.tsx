import { useState } from 'react';

import type { Change } from '../../schema/consumer.ts';
import { api } from '../api.ts';
import { ConsumerChoice } from '../consumerChoice.tsx';
import { ConsumerName } from '../consumerName.tsx';
import { prettyValue } from '../pretty.ts';
import { useList } from '../queries.ts';
import { Code } from '../ui/copyText.tsx';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { Drawer } from '../ui/dialog.tsx';
import { Facts } from '../ui/panel.tsx';
import { Sentence } from '../ui/sentence.tsx';
import { TimeText, useTimeWidth } from '../ui/timeText.tsx';
import { changeSentence, whatChanged } from './changeText.ts';

/** The changes of all consumers with their authors, newest first. */
export function ChangesLog(props: {
  consumer: string | undefined;
  onFilter: (consumer: string | undefined) => void;
}) {
  const { consumer, onFilter } = props;
  const list = useList(
    ['changes', consumer],
    (cursor) => api.changes({ limit: 100, cursor, consumer_id: consumer }),
    { everyMs: 5_000 },
  );
  const [open, setOpen] = useState<Change | null>(null);
  return (
    <>
      <div className="sm:max-w-96">
        <ConsumerChoice
          value={consumer ?? ''}
          placeholder="All consumers"
          onPick={(id) => onFilter(id === '' ? undefined : id)}
        />
      </div>
      <DataTable
        what="changes"
        columns={columnsOf(setOpen, useTimeWidth())}
        list={list}
        rowKey={({ id }) => id}
        onOpen={setOpen}
        isFiltered={consumer !== undefined}
        onClearFilters={() => onFilter(undefined)}
        empty={{
          title: 'No changes yet',
          text: 'Every create, edit, pause, resume and seek of a consumer is listed here.',
        }}
      />
      {open !== null && (
        <Drawer
          open
          onClose={() => setOpen(null)}
          title={<Sentence text={changeSentence(open)} at={open.at} />}
        >
          <Facts
            facts={[
              ['Time', <TimeText key="at" at={open.at} />],
              ['By', open.actor],
              ['Consumer', <ConsumerName key="consumer" id={open.consumer_id} />],
            ]}
          />
          <Code label="Detail" text={prettyValue(open.detail)} />
        </Drawer>
      )}
    </>
  );
}

function columnsOf(onOpen: (change: Change) => void, timeWidth: string): Column<Change>[] {
  return [
    { id: 'at', title: 'Time', width: timeWidth, cell: ({ at }) => <TimeText at={at} /> },
    {
      id: 'action',
      title: 'Change',
      width: 'minmax(0,3fr)',
      cell: (change) => (
        <button
          type="button"
          className="foreign line-clamp-3 text-left underline"
          onClick={() => onOpen(change)}
        >
          <Sentence text={whatChanged(change)} at={change.at} />
        </button>
      ),
    },
    {
      id: 'actor',
      title: 'By',
      width: 'minmax(0,1fr)',
      isExtra: true,
      cell: ({ actor }) => <span className="foreign line-clamp-2">{actor}</span>,
    },
    {
      id: 'consumer',
      title: 'Consumer',
      width: 'minmax(0,2fr)',
      cell: ({ consumer_id }) => <ConsumerName id={consumer_id} />,
    },
  ];
}
