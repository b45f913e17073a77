import type { EventType, StreamName } from '../../schema.ts';
import { Combobox } from '../ui/combobox.tsx';
import { SelectField } from '../ui/field.tsx';
import { STARTS } from './browse.ts';
import type { Start } from './browse.ts';
import type { Filter } from './entry.ts';
import { useSeen } from './seen.ts';

const START_TEXTS: Record<Start, string> = {
  '1h': 'The last hour',
  '1d': 'The last day',
  '7d': 'The last 7 days',
  beginning: 'The beginning',
};
export const EVENT_TYPES = ['created', 'updated', 'deleted'] as const satisfies EventType[];

/** What of a stream is shown. */
export function Filters(props: {
  stream: StreamName;
  filter: Filter;
  start: Start;
  isLive: boolean;
  onChange: (change: Filter & { from?: Start }) => void;
}) {
  const { stream, filter, start, isLive, onChange } = props;
  const seen = useSeen(filter.sync);
  return (
    <div role="search" className="grid grid-cols-2 gap-3 lg:grid-cols-5">
      <Combobox
        label="Sync"
        value={filter.sync ?? ''}
        placeholder="All syncs"
        options={seen.syncs}
        isLoading={seen.isLoading}
        isOpen
        onPick={(sync) => onChange({ sync })}
      />
      <Combobox
        label="Provider"
        value={filter.provider ?? ''}
        placeholder="All providers"
        options={seen.providers}
        isLoading={seen.isLoading}
        isOpen
        onPick={(provider) => onChange({ provider })}
      />
      <Combobox
        label="Collection"
        value={filter.collection ?? ''}
        placeholder="All collections"
        options={seen.collections}
        isLoading={seen.isLoading}
        isOpen
        onPick={(collection) => onChange({ collection })}
      />
      {stream === 'events' && (
        <SelectField
          label="Event type"
          value={filter.event ?? ''}
          onChange={(event) => onChange({ event: event === '' ? undefined : event })}
          options={[
            { value: '', text: 'All types' },
            ...EVENT_TYPES.map((value) => ({ value, text: value })),
          ]}
        />
      )}
      {!isLive && (
        <SelectField
          label="From"
          value={start}
          onChange={(from) => onChange({ from })}
          options={STARTS.map((value) => ({ value, text: START_TEXTS[value] }))}
        />
      )}
    </div>
  );
}
