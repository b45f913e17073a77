import { useEffect, useState, type ReactNode } from 'react';

import { fieldText, fieldTime, ZONE_WORDS } from '../dateField.ts';
import { useNarrow } from '../narrow.ts';
import { useZone } from '../settings.ts';
import { useSettled } from '../settled.ts';
import { useTyped } from '../typed.ts';
import { Button } from '../ui/button.tsx';
import { SelectField, TextField } from '../ui/field.tsx';
import type { Zone } from '../words.ts';
import { SPANS, type AttemptFilter, type FilterChange } from './attemptFilter.ts';

const OUTCOMES = [
  { value: '', text: 'All' },
  { value: 'delivered', text: 'Delivered' },
  { value: 'failed', text: 'Failed' },
];

interface Props {
  filter: AttemptFilter;
  onFilter: (change: FilterChange) => void;
  /** Further controls in the same line. */
  children?: ReactNode;
}

/** The filters of deliveries: outcome and status, and behind a button record, webhook-id and time. On a phone all are behind it. */
export function DeliveryFilters({ filter, onFilter, children }: Props) {
  const { outcome, status, record, event, since, until } = filter;
  const isNarrow = useNarrow();
  const further = [record, event, since ?? until, ...(isNarrow ? [outcome, status] : [])];
  const count = further.filter((one) => one !== undefined).length;
  const [isOpen, setOpen] = useState(count > 0);
  const name = isNarrow ? 'Filters' : 'More filters';
  return (
    <>
      <div className="flex flex-wrap items-end gap-2">
        {!isNarrow && <Main filter={filter} onFilter={onFilter} />}
        {children}
        <Button kind="quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
          {count === 0 ? name : `${name} (${count})`} <span aria-hidden>{isOpen ? '▴' : '▾'}</span>
        </Button>
      </div>
      {isOpen && (
        <div className="grid grid-cols-2 items-start gap-2 lg:grid-cols-4">
          {isNarrow && <Main filter={filter} onFilter={onFilter} />}
          <Typed
            label="Record"
            kept={record ?? ''}
            hint="Its exact id"
            onSettled={(text) => onFilter({ record: text })}
          />
          <Typed
            label="webhook-id"
            kept={event ?? ''}
            hint="Of an event or a batch"
            onSettled={(text) => onFilter({ event: text })}
          />
          <TimeFilter filter={filter} onFilter={onFilter} />
        </div>
      )}
    </>
  );
}

function Main({ filter, onFilter }: Omit<Props, 'children'>) {
  return (
    <>
      <SelectField
        label="Outcome"
        value={filter.outcome ?? ''}
        onChange={(outcome) => onFilter({ outcome })}
        options={OUTCOMES}
      />
      <div className="sm:w-32">
        <TextField
          label="HTTP status"
          data-search
          inputMode="numeric"
          placeholder="Any"
          value={filter.status ?? ''}
          onChange={(event) => onFilter({ status: event.target.value })}
          error={mayBecomeStatus(filter.status ?? '') ? undefined : 'Three digits, such as 503'}
        />
      </div>
    </>
  );
}

/** Whether a text is a status, or the beginning of one that is being typed. */
function mayBecomeStatus(text: string): boolean {
  return /^([1-5]\d{0,2})?$/u.test(text);
}

function Typed(props: {
  label: string;
  kept: string;
  hint: string;
  onSettled: (text: string) => void;
}) {
  const [text, setText] = useTyped(props.kept, props.onSettled);
  return (
    <TextField
      label={props.label}
      placeholder="Any"
      hint={props.hint}
      value={text}
      onChange={(event) => setText(event.target.value)}
    />
  );
}

const TYPING_MS = 700;
const UNITS: Record<string, string> = { m: 'minutes', h: 'hours', d: 'days' };
const RANGE = 'range';
const TIMES = [
  { value: '', text: 'Any time' },
  ...SPANS.map((value) => ({ value, text: `Last ${spanText(value)}` })),
  { value: RANGE, text: 'Custom range' },
];

/** When they started: within a time span up to now, or from one time to another. */
function TimeFilter({ filter, onFilter }: Omit<Props, 'children'>) {
  const { since, until } = filter;
  const zone = useZone();
  const span = SPANS.find((one) => one === since && until === undefined);
  const shown = since === undefined && until === undefined ? '' : (span ?? RANGE);
  const choose = (value: string): void => {
    const begin = new Date(Date.now() - 3_600_000).toISOString();
    onFilter({ since: value === RANGE ? begin : value, until: undefined });
  };
  return (
    <>
      <SelectField label="Time" value={shown} onChange={choose} options={TIMES} />
      {shown === RANGE && (
        <div className="col-span-2 grid grid-cols-1 gap-2 sm:grid-cols-2 lg:col-span-4">
          <MomentField
            key={`since ${zone}`}
            name="From"
            zone={zone}
            value={since}
            onChange={(time) => onFilter({ since: time })}
          />
          <MomentField
            key={`until ${zone}`}
            name="To"
            zone={zone}
            value={until}
            onChange={(time) => onFilter({ until: time })}
          />
        </div>
      )}
    </>
  );
}

/** While a time is being typed, it is invalid, or in the year 2; so it is reported once typing has stopped. */
function MomentField(props: {
  name: string;
  zone: Zone;
  value: string | undefined;
  onChange: (time: string | undefined) => void;
}) {
  const { name, zone, value, onChange } = props;
  const [text, setText] = useState(() => shownIn(zone, value));
  const settled = useSettled(text, TYPING_MS);
  useEffect(() => {
    const time = fieldTime(settled, zone);
    if (time !== fieldTime(shownIn(zone, value), zone)) onChange(time);
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- only what was typed is reported
  }, [settled]);
  return (
    <TextField
      label={`${name}, ${ZONE_WORDS[zone]}`}
      type="datetime-local"
      step={1}
      value={text}
      onChange={(event) => setText(event.target.value)}
    />
  );
}

/** As the field has it; empty for what is no time. */
function shownIn(zone: Zone, time: string | undefined): string {
  const at = Date.parse(time ?? '');
  return Number.isNaN(at) ? '' : fieldText(at, zone);
}

function spanText(span: (typeof SPANS)[number]): string {
  const count = span.slice(0, -1);
  const unit = UNITS[span.slice(-1)] ?? '';
  return count === '1' ? unit.slice(0, -1) : `${count} ${unit}`;
}
