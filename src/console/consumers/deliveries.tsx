import { useMemo, useState } from 'react';

import type { Consumer } from '../../schema/consumer.ts';
import type { EventType } from '../../schema/stream.ts';
import { ActButton } from '../act.tsx';
import { api, type Attempt } from '../api.ts';
import { useNarrow } from '../narrow.ts';
import { useList } from '../queries.ts';
import { SampleDialog } from '../streams/sample.tsx';
import { Button } from '../ui/button.tsx';
import { useTimeWidth } from '../ui/timeText.tsx';
import { askedOf, NO_FILTER, type AttemptFilter, type FilterChange } from './attemptFilter.ts';
import { columnsOf } from './deliveryColumns.tsx';
import { DeliveryDrawer } from './deliveryDrawer.tsx';
import { DeliveryFilters } from './deliveryFilters.tsx';
import { DeliveryTable } from './deliveryTable.tsx';
import { useLiveAttempts } from './liveAttempts.ts';
import { newestOf, planOf } from './plan.ts';

interface Props {
  consumer: Consumer;
  filter: AttemptFilter;
  onFilter: (change: FilterChange) => void;
  /** The id of the attempt whose drawer is open. */
  opened: string | undefined;
  onOpen: (id: string | undefined) => void;
}

/** The attempts, newest first, as they happen. */
export function Deliveries({ consumer, filter, onFilter, opened, onOpen }: Props) {
  const [isLive, setLive] = useState(true);
  const asked = askedOf(filter);
  const list = useList(['attempts', consumer.id, asked], (cursor) =>
    api.consumers.attempts(consumer.id, { ...asked, cursor, limit: 100 }),
  );
  const isKnown = !list.isLoading && list.error === null;
  // A list that ends at a time in the past does not grow.
  const isFollowed = isLive && isKnown && asked['until'] === undefined;
  const fresh = useLiveAttempts(consumer.id, asked, isFollowed ? list.rows : null, list.again);
  const rows = useMemo(() => together(fresh, list.rows), [fresh, list.rows]);
  const { status, next_attempt_at, parked } = consumer;
  const timeWidth = useTimeWidth();
  const isNarrow = useNarrow();
  const columns = useMemo(() => {
    const newest = newestOf(rows);
    const plan = (attempt: Attempt, now: number): string | null =>
      planOf(attempt, { status, next_attempt_at, parked }, newest, now);
    return columnsOf({ onOpen, plan, timeWidth, isNarrow });
  }, [onOpen, rows, status, next_attempt_at, parked, timeWidth, isNarrow]);
  const [isSending, setSending] = useState(false);
  return (
    <>
      <DeliveryFilters filter={filter} onFilter={onFilter}>
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
          {isLive ? 'Live' : 'Paused'}
        </Button>
      </DeliveryFilters>
      <DeliveryTable
        columns={columns}
        list={{ ...list, rows }}
        opened={opened}
        onOpen={onOpen}
        isFiltered={Object.keys(filter).length > 0}
        onClearFilters={() => onFilter(NO_FILTER)}
        empty={{
          title: 'Nothing has been sent yet',
          text: 'The first entry that matches the filter appears here automatically.',
          action: (
            <ActButton needs="ingest" onClick={() => setSending(true)}>
              Send a sample…
            </ActButton>
          ),
        }}
      >
        {(attempt) => (
          <DeliveryDrawer attempt={attempt} consumer={consumer} onClose={() => onOpen(undefined)} />
        )}
      </DeliveryTable>
      {isSending && <MatchingSample consumer={consumer} onClose={() => setSending(false)} />}
    </>
  );
}

/** A sample that passes the consumer's filter, as far as the filter determines it. */
function MatchingSample({ consumer, onClose }: { consumer: Consumer; onClose: () => void }) {
  const first = <T extends string>([one]: readonly T[]): T | undefined =>
    one === '*' ? undefined : one;
  return (
    <SampleDialog
      stream={consumer.stream === 'records' ? 'records' : undefined}
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
