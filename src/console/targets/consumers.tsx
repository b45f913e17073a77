import { useRef } from 'react';

import type { Consumer } from '../../schema/consumer.ts';
import { AddNew } from '../addNew.tsx';
import { api } from '../api.ts';
import { FAILURE, LAG, nameColumn, RATE, STATUS } from '../consumers/columns.tsx';
import { useLastDelivery } from '../consumers/lastDelivery.ts';
import { useInSight } from '../inSight.ts';
import { useList } from '../queries.ts';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { TimeText, useTimeWidth } from '../ui/timeText.tsx';

const EVERY_MS = 5_000;

/** The consumers that send to a target: their status, their lag, and their last delivery. */
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
    width: `max(${timeWidth}, 6.5rem)`,
    isExtra: true,
    cell: ({ id }) => <LastDelivery id={id} />,
  };
  return [nameColumn(), STATUS, { ...LAG, width: '5rem' }, delivered, RATE, FAILURE];
}

/** When the newest delivery started; read while the row is in sight. */
function LastDelivery({ id }: { id: string }) {
  const cell = useRef<HTMLDivElement>(null);
  const delivery = useLastDelivery(id, useInSight(cell));
  return (
    <div ref={cell}>
      <TimeText at={delivery?.started_at ?? null} />
    </div>
  );
}
