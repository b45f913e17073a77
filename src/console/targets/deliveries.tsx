import { useQuery } from '@tanstack/react-query';

import type { TargetAttempt } from '../../schema/attempt.ts';
import { AddNew } from '../addNew.tsx';
import { api, messageOf } from '../api.ts';
import {
  askedOf,
  NO_FILTER,
  type AttemptFilter,
  type FilterChange,
} from '../consumers/attemptFilter.ts';
import { columnsOf } from '../consumers/deliveryColumns.tsx';
import { DeliveryDrawer } from '../consumers/deliveryDrawer.tsx';
import { DeliveryFilters } from '../consumers/deliveryFilters.tsx';
import { DeliveryTable } from '../consumers/deliveryTable.tsx';
import { useNarrow } from '../narrow.ts';
import { useList } from '../queries.ts';
import { Hint } from '../ui/notice.tsx';
import { useTimeWidth } from '../ui/timeText.tsx';

const EVERY_MS = 5_000;

/** The deliveries of all consumers of a target, newest first. */
export function TargetDeliveries(props: {
  targetId: string;
  /** Whether any consumer sends to it. */
  hasConsumers: boolean;
  filter: AttemptFilter;
  onFilter: (change: FilterChange) => void;
  /** The id of the attempt whose drawer is open. */
  opened: string | undefined;
  onOpen: (id: string | undefined) => void;
}) {
  const { targetId, hasConsumers, filter, onFilter, opened, onOpen } = props;
  const asked = askedOf(filter);
  const list = useList(
    ['attempts', 'of-target', targetId, asked],
    (cursor) => api.targets.attempts(targetId, { ...asked, cursor, limit: 50 }),
    { everyMs: EVERY_MS },
  );
  const timeWidth = useTimeWidth();
  const isNarrow = useNarrow();
  const consumerName = (attempt: TargetAttempt): string => attempt.consumer_name;
  return (
    <>
      <DeliveryFilters filter={filter} onFilter={onFilter} />
      <DeliveryTable
        columns={columnsOf({ onOpen, timeWidth, isNarrow, consumerName })}
        list={list}
        opened={opened}
        onOpen={onOpen}
        isFiltered={Object.keys(filter).length > 0}
        onClearFilters={() => onFilter(NO_FILTER)}
        empty={{
          title: 'Nothing has been sent yet',
          text: hasConsumers
            ? 'What its consumers send appears here automatically.'
            : 'A consumer sends the entries that match its filter, as soon as it is saved.',
          action: !hasConsumers && <AddNew kind="consumer" target={targetId} isPlain />,
        }}
      >
        {(attempt) => <Opened attempt={attempt} onClose={() => onOpen(undefined)} />}
      </DeliveryTable>
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
