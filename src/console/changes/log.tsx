import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import { whoIs } from '../../rules/who.ts';
import type { Change } from '../../schema/consumer.ts';
import { api } from '../api.ts';
import { ConsumerChoice } from '../consumerChoice.tsx';
import { ConsumerName } from '../consumerName.tsx';
import { useNarrow } from '../narrow.ts';
import { prettyValue } from '../pretty.ts';
import { useList } from '../queries.ts';
import { Code } from '../ui/copyText.tsx';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { Drawer } from '../ui/dialog.tsx';
import { Hint } from '../ui/notice.tsx';
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
      {list.rows.some(({ actor }) => actor === 'bootstrap') && <OwnKeys />}
      <DataTable
        what="changes"
        columns={columnsOf(setOpen, useTimeWidth(), useNarrow())}
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
              ['By', whoIs(open.actor)],
              ['Consumer', <ConsumerName key="consumer" id={open.consumer_id} />],
            ]}
          />
          {Object.keys(open.detail).length > 0 && (
            <Code label="Detail" text={prettyValue(open.detail)} />
          )}
        </Drawer>
      )}
    </>
  );
}

/** Says how changes get the names of people. */
function OwnKeys() {
  return (
    <Hint>
      The admin key is that of MILLRACE_API_KEY, whoever uses it. Changes made with{' '}
      <Link to="/settings" search={{ tab: 'keys' }} className="underline">
        an API key for each person
      </Link>{' '}
      say who made them.
    </Hint>
  );
}

function columnsOf(
  onOpen: (change: Change) => void,
  timeWidth: string,
  isNarrow: boolean,
): Column<Change>[] {
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
          <Sentence text={isNarrow ? changeSentence(change) : whatChanged(change)} at={change.at} />
        </button>
      ),
    },
    {
      id: 'actor',
      title: 'By',
      width: 'minmax(0,1fr)',
      isExtra: true,
      cell: ({ actor }) => <span className="foreign line-clamp-2">{whoIs(actor)}</span>,
    },
    {
      id: 'consumer',
      title: 'Consumer',
      width: 'minmax(0,2fr)',
      cell: ({ consumer_id }) => <ConsumerName id={consumer_id} />,
    },
  ];
}
