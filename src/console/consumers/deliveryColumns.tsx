import type { ReactNode } from 'react';

import type { Attempt } from '../api.ts';
import { ConsumerName } from '../consumerName.tsx';
import { EntryKind } from '../deadLetters/columns.tsx';
import type { Column } from '../ui/dataTable.tsx';
import { StatusBadge } from '../ui/statusBadge.tsx';
import { TimeText, useNow } from '../ui/timeText.tsx';
import { number } from '../words.ts';

/** When the next attempt after this one is planned. */
export type Plan = (attempt: Attempt, now: number) => string | null;

/** The columns of deliveries, the same in every list of them. */
export function columnsOf<A extends Attempt>(options: {
  onOpen: (id: string) => void;
  /** The width for the chosen form of times. */
  timeWidth: string;
  isNarrow: boolean;
  /** The name of its consumer, in a list of several consumers; on a phone it is under the entry. */
  consumerName?: (attempt: A) => string;
  /** Adds when the next attempt is planned. */
  plan?: Plan;
}): Column<A>[] {
  const { onOpen, timeWidth, isNarrow, consumerName, plan } = options;
  const whose = (attempt: A): ReactNode =>
    consumerName !== undefined && (
      <ConsumerName id={attempt.consumer_id} known={consumerName(attempt)} />
    );
  const columns: (Column<A> | null)[] = [
    {
      id: 'entry',
      title: 'Entry',
      width: 'minmax(0,3fr)',
      cell: (attempt) => (
        <>
          <button
            type="button"
            className="foreign block max-w-full text-left"
            onClick={() => onOpen(attempt.id)}
          >
            <Entry attempt={attempt} />
          </button>
          {isNarrow && whose(attempt)}
        </>
      ),
    },
    consumerName === undefined
      ? null
      : {
          id: 'consumer',
          title: 'Consumer',
          width: 'minmax(0,2fr)',
          isExtra: true,
          cell: whose,
        },
    {
      id: 'outcome',
      title: 'Outcome',
      width: '6.5rem',
      cell: ({ outcome, status, error_code }) => (
        <>
          <StatusBadge status={outcome} />
          {isNarrow && outcome === 'failed' && (
            <span className="foreign block text-xs text-soft">{status ?? error_code}</span>
          )}
        </>
      ),
    },
    {
      id: 'status',
      title: 'Status',
      width: 'minmax(5rem,1fr)',
      isExtra: true,
      cell: ({ status, error_code }) => (
        <span className="foreign line-clamp-2">
          {status ?? ''} {error_code !== null && <span className="text-soft">{error_code}</span>}
        </span>
      ),
    },
    {
      id: 'started',
      title: 'Time',
      width: timeWidth,
      cell: ({ started_at }) => <TimeText at={started_at} />,
    },
    {
      id: 'duration',
      title: 'Duration',
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
    plan === undefined
      ? null
      : {
          id: 'next',
          title: 'Next attempt',
          width: `max(${timeWidth}, 6.75rem)`,
          isExtra: true,
          cell: (attempt) => <Planned attempt={attempt} plan={plan} />,
        },
  ];
  return columns.filter((column) => column !== null);
}

/** The record, then what happened to it and its collection; for an entry that is no longer kept, its position. */
function Entry({ attempt }: { attempt: Attempt }) {
  const { event, collection_id, upstream_id, position } = attempt;
  if (upstream_id === null) {
    return <span className="text-soft hover:underline">position {number(position)}, not kept</span>;
  }
  return (
    <>
      <span className="line-clamp-1 font-mono underline">{upstream_id}</span>
      <EntryKind event={event} collection={collection_id} />
    </>
  );
}

/** When the next attempt is planned, if it still is. */
function Planned({ attempt, plan }: { attempt: Attempt; plan: Plan }) {
  return <TimeText at={plan(attempt, useNow())} />;
}
