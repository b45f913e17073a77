import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import type { TargetAttempt } from '../../schema/attempt.ts';
import { api, messageOf } from '../api.ts';
import { DeliveryDrawer } from '../consumers/deliveryDrawer.tsx';
import { useNarrow } from '../narrow.ts';
import { useList } from '../queries.ts';
import { Button } from '../ui/button.tsx';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { SelectField, TextField } from '../ui/field.tsx';
import { Hint } from '../ui/notice.tsx';
import { StatusBadge } from '../ui/statusBadge.tsx';
import { TimeText, useTimeWidth } from '../ui/timeText.tsx';
import { number } from '../words.ts';

const EVERY_MS = 5_000;
/** On a phone so many come first, and then what is below them. */
const FEW = 8;

const OUTCOMES = [
  { value: '', text: 'All' },
  { value: 'delivered', text: 'Delivered' },
  { value: 'failed', text: 'Failed' },
];

/** Which deliveries are shown. */
export interface DeliveryFilter {
  outcome?: string | undefined;
  status?: string | undefined;
}

/** The deliveries of all consumers of a target, newest first. */
export function TargetDeliveries(props: {
  targetId: string;
  filter: DeliveryFilter;
  onFilter: (filter: DeliveryFilter) => void;
  /** The id of the attempt whose drawer is open. */
  opened: string | undefined;
  onOpen: (id: string | undefined) => void;
}) {
  const { targetId, filter, onFilter, opened, onOpen } = props;
  const isStatus = /^[1-5]\d\d$/u.test(filter.status ?? '');
  const asked = { outcome: filter.outcome, status: isStatus ? filter.status : undefined };
  const list = useList(
    ['attempts', 'of-target', targetId, asked],
    (cursor) => api.targets.attempts(targetId, { ...asked, cursor, limit: 50 }),
    { everyMs: EVERY_MS },
  );
  const timeWidth = useTimeWidth();
  const [isAll, setAll] = useState(false);
  const isShort = useNarrow() && !isAll && (list.rows.length > FEW || list.hasMore);
  const chosen = list.rows.find(({ id }) => id === opened);
  return (
    <>
      <div className="flex flex-wrap items-end gap-2">
        <SelectField
          label="Outcome"
          value={filter.outcome ?? ''}
          onChange={(outcome) => onFilter({ ...filter, outcome })}
          options={OUTCOMES}
        />
        <div className="w-32">
          <TextField
            label="HTTP status"
            inputMode="numeric"
            placeholder="any"
            value={filter.status ?? ''}
            onChange={(event) => onFilter({ ...filter, status: event.target.value })}
            error={
              /^([1-5]\d{0,2})?$/u.test(filter.status ?? '')
                ? undefined
                : 'Three digits, such as 503'
            }
          />
        </div>
      </div>
      {opened !== undefined && chosen === undefined && !list.isLoading && list.error === null && (
        <Hint tone="warn">
          The delivery of this address is not among those read so far: read further below, or it is
          no longer kept.
        </Hint>
      )}
      <DataTable
        what="deliveries"
        columns={columnsOf(onOpen, timeWidth)}
        list={isShort ? { ...list, rows: list.rows.slice(0, FEW), hasMore: false } : { ...list }}
        rowKey={({ id }) => id}
        onOpen={({ id }) => onOpen(id)}
        isFiltered={filter.outcome !== undefined || filter.status !== undefined}
        onClearFilters={() => onFilter({})}
        empty={{
          title: 'Nothing has been sent yet',
          text: 'What its consumers send appears here automatically.',
        }}
      />
      {isShort && <Button onClick={() => setAll(true)}>Show older deliveries</Button>}
      {chosen !== undefined && <Opened attempt={chosen} onClose={() => onOpen(undefined)} />}
    </>
  );
}

/** The drawer of one delivery, once its consumer is read. */
function Opened({ attempt, onClose }: { attempt: TargetAttempt; onClose: () => void }) {
  const { consumer_id: id } = attempt;
  const { data, error } = useQuery({
    queryKey: ['consumer', id],
    queryFn: () => api.consumers.get(id),
  });
  if (data !== undefined) {
    return <DeliveryDrawer attempt={attempt} consumer={data} onClose={onClose} />;
  }
  return error === null ? null : <Hint tone="bad">{messageOf(error)}</Hint>;
}

function columnsOf(onOpen: (id: string) => void, timeWidth: string): Column<TargetAttempt>[] {
  return [
    {
      id: 'outcome',
      title: 'Outcome',
      width: '9.5rem',
      cell: ({ id, outcome, status, error_code }) => (
        <button
          type="button"
          className="flex max-w-full items-center gap-1.5 text-left hover:underline"
          onClick={() => onOpen(id)}
        >
          <StatusBadge status={outcome} />
          <span className="truncate text-xs tabular-nums">{status ?? error_code}</span>
        </button>
      ),
    },
    {
      id: 'started',
      title: 'Time',
      width: timeWidth,
      cell: ({ started_at }) => <TimeText at={started_at} />,
    },
    {
      id: 'consumer',
      title: 'Consumer',
      width: 'minmax(0,1fr)',
      cell: ({ consumer_id, consumer_name }) => (
        <Link
          to="/consumers/$id"
          params={{ id: consumer_id }}
          className="foreign block truncate hover:underline"
        >
          {consumer_name}
        </Link>
      ),
    },
    {
      id: 'duration',
      title: 'Duration',
      width: '6rem',
      align: 'right',
      isExtra: true,
      cell: ({ duration_ms }) => `${number(duration_ms)} ms`,
    },
    {
      id: 'attempt',
      title: 'Attempt',
      width: '4.5rem',
      align: 'right',
      isExtra: true,
      cell: ({ attempt }) => attempt,
    },
    {
      id: 'message',
      title: 'Message',
      width: 'minmax(0,1fr)',
      isExtra: true,
      cell: ({ position, message_id }) => (
        <span className="foreign block truncate font-mono text-xs">
          {number(position)} · {message_id}
        </span>
      ),
    },
  ];
}
