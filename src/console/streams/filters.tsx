import type { StreamName } from '../../schema/stream.ts';
import { Combobox } from '../ui/combobox.tsx';
import { SelectField } from '../ui/field.tsx';
import type { Filter } from './entry.ts';
import { EVENT_TYPES } from './eventTypes.ts';
import { useSeen } from './seen.ts';
import { STARTS, type Start } from './starts.ts';

const START_TEXTS: Record<Start, string> = {
  newest: 'Newest first',
  '1h': 'Oldest first, since an hour ago',
  '1d': 'Oldest first, since a day ago',
  '7d': 'Oldest first, since 7 days ago',
  beginning: 'Oldest first, since the beginning',
};

const LISTS = [
  { field: 'sync', label: 'Sync', placeholder: 'All syncs', of: 'syncs' },
  { field: 'provider', label: 'Provider', placeholder: 'All providers', of: 'providers' },
  { field: 'collection', label: 'Collection', placeholder: 'All collections', of: 'collections' },
] as const;

/** The filters that decide which entries of a stream are shown. */
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
      {LISTS.map(({ field, label, placeholder, of }, at) => (
        <Combobox
          key={field}
          label={label}
          value={filter[field] ?? ''}
          placeholder={placeholder}
          options={seen[of]}
          isLoading={seen.isLoading}
          isOpen
          isSearch={at === 0}
          onPick={(value) => onChange({ [field]: value })}
        />
      ))}
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
          label="Order"
          value={start}
          onChange={(from) => onChange({ from })}
          options={STARTS.map((value) => ({ value, text: START_TEXTS[value] }))}
        />
      )}
    </div>
  );
}
