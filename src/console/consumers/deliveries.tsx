import { useMemo, useState } from 'react';

import type { Consumer } from '../../schema/consumer.ts';
import type { EventType } from '../../schema/stream.ts';
import { ActButton } from '../act.tsx';
import { api, type Attempt } from '../api.ts';
import { useNarrow } from '../narrow.ts';
import { useList } from '../queries.ts';
import { SampleDialog } from '../streams/sample.tsx';
import { Button } from '../ui/button.tsx';
import { DataTable, type Column } from '../ui/dataTable.tsx';
import { SelectField, TextField } from '../ui/field.tsx';
import { Hint } from '../ui/notice.tsx';
import { StatusBadge } from '../ui/statusBadge.tsx';
import { TimeText, useNow } from '../ui/timeText.tsx';
import { number } from '../words.ts';
import { DeliveryDrawer } from './deliveryDrawer.tsx';
import { useLiveAttempts, type AttemptFilter } from './liveAttempts.ts';
import { newestOf, planOf } from './plan.ts';

/** On a phone so many come first, and then what is below them. */
const FEW = 8;

const OUTCOMES = [
  { value: '', text: 'All' },
  { value: 'delivered', text: 'Delivered' },
  { value: 'failed', text: 'Failed' },
];

interface Props {
  consumer: Consumer;
  filter: AttemptFilter;
  onFilter: (filter: AttemptFilter) => void;
  /** The id of the attempt whose drawer is open. */
  opened: string | undefined;
  onOpen: (id: string | undefined) => void;
}

/** The attempts, newest first, as they happen. */
export function Deliveries({ consumer, filter, onFilter, opened, onOpen }: Props) {
  const [isLive, setLive] = useState(true);
  const isStatus = /^[1-5]\d\d$/u.test(filter.status ?? '');
  const asked: AttemptFilter = {
    ...(filter.outcome !== undefined && { outcome: filter.outcome }),
    ...(isStatus && filter.status !== undefined && { status: filter.status }),
  };
  const list = useList(['attempts', consumer.id, asked], (cursor) =>
    api.consumers.attempts(consumer.id, { ...asked, cursor, limit: 100 }),
  );
  const isKnown = !list.isLoading && list.error === null;
  const fresh = useLiveAttempts(
    consumer.id,
    asked,
    isLive && isKnown ? list.rows : null,
    list.again,
  );
  const rows = useMemo(() => together(fresh, list.rows), [fresh, list.rows]);
  const { status, next_attempt_at, parked } = consumer;
  const columns = useMemo(() => {
    const newest = newestOf(rows);
    const plan = (attempt: Attempt, now: number): string | null =>
      planOf(attempt, { status, next_attempt_at, parked }, newest, now);
    return columnsOf(onOpen, plan);
  }, [onOpen, rows, status, next_attempt_at, parked]);
  const [isSending, setSending] = useState(false);
  const [isAll, setAll] = useState(false);
  const isShort = useNarrow() && !isAll && (rows.length > FEW || list.hasMore);
  const chosen = rows.find(({ id }) => id === opened);
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
            data-search
            inputMode="numeric"
            placeholder="503"
            value={filter.status ?? ''}
            onChange={(event) => onFilter({ ...filter, status: event.target.value })}
            error={mayBecomeStatus(filter.status ?? '') ? undefined : 'Three digits, such as 503'}
          />
        </div>
        <Button
          aria-pressed={isLive}
          onClick={() => {
            if (!isLive) list.again();
            setLive(!isLive);
          }}
        >
          <span aria-hidden className={isLive ? 'text-ok' : 'text-soft'}>
            {isLive ? '●' : '○'}
          </span>
          {isLive ? 'Live' : 'Held'}
        </Button>
      </div>
      {opened !== undefined && chosen === undefined && isKnown && (
        <Hint tone="warn">
          The delivery of this address is not among those read so far: read further below, or it is
          no longer kept.
        </Hint>
      )}
      <DataTable
        what="deliveries"
        columns={columns}
        list={isShort ? { ...list, rows: rows.slice(0, FEW), hasMore: false } : { ...list, rows }}
        rowKey={({ id }) => id}
        onOpen={({ id }) => onOpen(id)}
        isFiltered={filter.outcome !== undefined || filter.status !== undefined}
        onClearFilters={() => onFilter({})}
        empty={{
          title: 'Nothing was sent yet',
          text: 'The first entry that matches the filter appears here by itself.',
          action: (
            <ActButton needs="ingest" onClick={() => setSending(true)}>
              Send a sample…
            </ActButton>
          ),
        }}
      />
      {isShort && <Button onClick={() => setAll(true)}>Show older deliveries</Button>}
      {isSending && <MatchingSample consumer={consumer} onClose={() => setSending(false)} />}
      {chosen !== undefined && (
        <DeliveryDrawer attempt={chosen} consumer={consumer} onClose={() => onOpen(undefined)} />
      )}
    </>
  );
}

/** A sample that passes the consumer's filter, as far as the filter names what that is. */
function MatchingSample({ consumer, onClose }: { consumer: Consumer; onClose: () => void }) {
  const first = <T extends string>([one]: readonly T[]): T | undefined =>
    one === '*' ? undefined : one;
  return (
    <SampleDialog
      stream={consumer.stream}
      sync={first(consumer.syncs)}
      collection={first(consumer.collections)}
      event={first(consumer.event_types) as EventType | undefined}
      onClose={onClose}
    />
  );
}

function together(fresh: Attempt[], known: Attempt[]): Attempt[] {
  const ids = new Set(known.map(({ id }) => id));
  return [...fresh.filter(({ id }) => !ids.has(id)), ...known];
}

/** Whether a text is a status, or the beginning of one that is being typed. */
function mayBecomeStatus(text: string): boolean {
  return /^([1-5]\d{0,2})?$/u.test(text);
}

type Plan = (attempt: Attempt, now: number) => string | null;

function columnsOf(onOpen: (id: string) => void, plan: Plan): Column<Attempt>[] {
  return [
    {
      id: 'outcome',
      title: 'Outcome',
      width: '6.5rem',
      cell: ({ outcome }) => <StatusBadge status={outcome} />,
    },
    {
      id: 'status',
      title: 'Status',
      width: 'minmax(4rem,11rem)',
      cell: ({ status, error_code }) => (
        <span className="block truncate">
          {status ?? ''}{' '}
          {status === null || error_code !== null ? (
            <span className={`text-soft ${status === null ? '' : 'max-sm:hidden'}`}>
              {error_code}
            </span>
          ) : (
            ''
          )}
        </span>
      ),
    },
    {
      id: 'started',
      title: 'Time',
      width: 'minmax(5.5rem,11rem)',
      cell: ({ started_at }) => <TimeText at={started_at} />,
    },
    {
      id: 'duration',
      title: 'Took',
      width: '5rem',
      align: 'right',
      isExtra: true,
      cell: ({ duration_ms }) => `${number(duration_ms)} ms`,
    },
    {
      id: 'attempt',
      title: 'Attempt',
      width: '4rem',
      align: 'right',
      isExtra: true,
      cell: ({ attempt }) => attempt,
    },
    {
      id: 'next',
      title: 'Next attempt',
      width: 'minmax(5rem,11rem)',
      isExtra: true,
      cell: (attempt) => <Planned attempt={attempt} plan={plan} />,
    },
    {
      id: 'message',
      title: 'Message',
      width: 'minmax(4rem,1fr)',
      cell: ({ id, message_id, position }) => (
        <button
          type="button"
          className="foreign block max-w-full truncate text-left font-mono text-xs hover:underline"
          onClick={() => onOpen(id)}
        >
          {number(position)} · {message_id}
        </button>
      ),
    },
  ];
}

/** When the next attempt is planned, if it still is. */
function Planned({ attempt, plan }: { attempt: Attempt; plan: Plan }) {
  return <TimeText at={plan(attempt, useNow())} />;
}
