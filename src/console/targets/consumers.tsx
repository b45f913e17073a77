import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useRef } from 'react';

import type { Consumer } from '../../schema/consumer.ts';
import { AddNew } from '../addNew.tsx';
import { api } from '../api.ts';
import { FAILURE, LAG, NAME, RATE, STATUS } from '../consumers/columns.tsx';
import { useInSight } from '../inSight.ts';
import { useList } from '../queries.ts';
import { createTurns } from '../turns.ts';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { TimeText, useTimeWidth } from '../ui/timeText.tsx';

const EVERY_MS = 5_000;
/** How old the time of a last delivery may get before it is read again, ms. */
const KEPT_MS = 15_000;
/** How many rows are read concurrently: a browser has six connections, and the page needs some of them. */
const turn = createTurns(2);

/** The consumers that send to a target: their state, their lag, and when something was last delivered. */
export function TargetConsumers({ targetId }: { targetId: string }) {
  const list = useList(
    ['consumers', 'of-target', targetId],
    (cursor) => api.consumers.list({ target_id: targetId, cursor, limit: 50 }),
    { everyMs: EVERY_MS },
  );
  return (
    <>
      <div className="flex justify-end">
        <AddNew kind="consumer" target={targetId} />
      </div>
      <DataTable
        what="consumers"
        columns={columnsOf(useTimeWidth())}
        list={list}
        rowKey={({ id }) => id}
        rowHref={({ id }) => `/consumers/${id}`}
        empty={{
          title: 'No consumer sends to it yet',
          text: 'A consumer sends the entries that match its filter, as soon as it is saved.',
          action: <AddNew kind="consumer" target={targetId} isPlain />,
        }}
      />
    </>
  );
}

function columnsOf(timeWidth: string): Column<Consumer>[] {
  const delivered: Column<Consumer> = {
    id: 'delivered',
    title: 'Last delivery',
    width: timeWidth,
    cell: ({ id }) => <LastDelivery id={id} />,
  };
  return [NAME, STATUS, { ...LAG, width: '5rem' }, delivered, RATE, FAILURE];
}

/** When the newest delivery started; read while the row is in sight. */
function LastDelivery({ id }: { id: string }) {
  const cell = useRef<HTMLDivElement>(null);
  const { data } = useQuery({
    queryKey: ['attempts', id, 'last-delivered'],
    queryFn: ({ signal }) =>
      turn(() => api.consumers.attempts(id, { outcome: 'delivered', limit: 1 }), signal),
    enabled: useInSight(cell),
    refetchInterval: KEPT_MS,
    staleTime: KEPT_MS,
    placeholderData: keepPreviousData,
    retry: false,
  });
  return (
    <div ref={cell}>
      <TimeText at={data?.data[0]?.started_at ?? null} />
    </div>
  );
}
