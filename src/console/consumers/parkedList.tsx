import { Link } from '@tanstack/react-router';

import type { Consumer } from '../../schema/consumer.ts';
import type { ParkedEntry } from '../../schema/deadLetter.ts';
import { ActButton } from '../act.tsx';
import { api } from '../api.ts';
import { ATTEMPTS, entryColumn, LAST_FAILURE } from '../deadLetters/columns.tsx';
import { useList } from '../queries.ts';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { DueText, TimeText, useTimeWidth } from '../ui/timeText.tsx';
import { amount } from '../words.ts';
import type { Commands } from './useCommands.tsx';

const LOOK_MS = 5_000;

/** The entries that the endpoint rejects while it accepts others: they are retried beside these. */
export function ParkedList({ consumer, commands }: { consumer: Consumer; commands: Commands }) {
  const { id, parked, status } = consumer;
  const list = useList(
    ['parked', id],
    (cursor) => api.consumers.parked(id, { limit: 100, cursor }),
    { everyMs: LOOK_MS },
  );
  const columns = columnsOf(id, useTimeWidth());
  const isTried = status === 'active' || status === 'blocked';
  return (
    <>
      {parked > 0 && (
        <div className="flex flex-wrap items-center justify-between gap-2">
          <p className="text-soft">
            {isTried
              ? 'Each entry is retried until its retry window ends, and is then kept as a dead letter.'
              : `They are retried once the consumer is resumed.`}
          </p>
          {isTried && (
            <ActButton needs="manage" kind="main" onClick={() => commands.ask('retry')}>
              Retry {amount(parked, 'parked entry', 'parked entries')} now…
            </ActButton>
          )}
        </div>
      )}
      <DataTable
        what="parked entries"
        columns={columns}
        list={list}
        rowKey={({ position }) => String(position)}
        rowHref={(entry) => hrefOf(id, entry)}
        empty={{
          title: 'Nothing is parked',
          text: 'An entry is parked when the endpoint refuses it while it accepts others.',
        }}
      />
    </>
  );
}

/** The address of the deliveries of an entry's record. */
function hrefOf(consumerId: string, { upstream_id }: ParkedEntry): string {
  return `/consumers/${consumerId}?${new URLSearchParams({ record: upstream_id }).toString()}`;
}

function columnsOf(consumerId: string, timeWidth: string): Column<ParkedEntry>[] {
  return [
    entryColumn<ParkedEntry>(({ upstream_id }) => (
      <Link
        to="/consumers/$id"
        params={{ id: consumerId }}
        search={{ record: upstream_id }}
        resetScroll={false}
        className="foreign line-clamp-1 font-mono underline"
      >
        {upstream_id}
      </Link>
    )),
    LAST_FAILURE,
    ATTEMPTS,
    {
      id: 'since',
      title: 'Parked',
      width: timeWidth,
      isExtra: true,
      cell: ({ parked_at }) => <TimeText at={parked_at} />,
    },
    {
      id: 'next',
      title: 'Next attempt',
      width: `max(${timeWidth}, 6.75rem)`,
      cell: (entry) => <Next entry={entry} />,
    },
  ];
}

function Next({ entry }: { entry: ParkedEntry }) {
  if (entry.follows)
    return <span className="text-xs text-soft">after an earlier entry of its record</span>;
  return <DueText at={entry.next_attempt_at} />;
}
