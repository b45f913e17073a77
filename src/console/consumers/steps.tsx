import { useState } from 'react';

import type { Target } from '../../schema/target.ts';
import { AddNew } from '../addNew.tsx';
import { fieldText, ZONE_WORDS } from '../dateField.ts';
import type { List } from '../queries.ts';
import { useZone } from '../settings.ts';
import { useSettled } from '../settled.ts';
import { shownUrl } from '../targets/shownUrl.ts';
import { useTargets } from '../targets/useTargets.ts';
import { Button } from '../ui/button.tsx';
import { ChoiceCard } from '../ui/choiceCard.tsx';
import { TextField } from '../ui/field.tsx';
import { Failed, Loading, Notice } from '../ui/notice.tsx';
import { TargetBadge } from '../ui/statusBadge.tsx';
import type { Zone } from '../words.ts';
import type { Draft } from './draft.ts';

interface StepProps {
  draft: Draft;
  onChange: (change: Partial<Draft>) => void;
}

/** What a step needs whose fields are checked. */
export interface CheckedProps extends StepProps {
  /** What is wrong with a field, by its pointer. */
  errorAt: (pointer: string) => string | undefined;
}

/** Chooses one of the targets, which are searched by name and URL, or leads to the form for a new one. */
export function TargetStep(props: StepProps & { chosen: Target | undefined }) {
  const { draft, onChange, chosen } = props;
  const [text, setText] = useState('');
  const q = useSettled(text.trim());
  const [isSearched, setSearched] = useState(false);
  const list = useTargets(q);
  const add = <AddNew kind="target" isPlain={list.rows.length > 0 || isSearched} />;
  // Once something was typed there are targets, and the field stays, whatever is found.
  if (!isSearched && list.error !== null) return <Failed error={list.error} again={list.again} />;
  if (!isSearched && list.isLoading) return <Loading what="targets" />;
  if (!isSearched && list.rows.length === 0) {
    return (
      <Notice
        title="No target yet"
        text="Create an endpoint first. You come back here once it is saved."
      >
        {add}
      </Notice>
    );
  }
  return (
    <>
      <div className="flex flex-wrap items-end gap-2">
        <div className="flex-1">
          <TextField
            label="Search targets"
            data-search
            value={text}
            onChange={(event) => {
              setText(event.target.value);
              setSearched(true);
            }}
          />
        </div>
        {add}
      </div>
      <TargetChoices
        list={list}
        chosen={q === '' ? chosen : undefined}
        chosenId={draft.target_id}
        onChoose={(id) => onChange({ target_id: id })}
      />
    </>
  );
}

/** The targets that were found. The one that is chosen comes first where it is not among those read so far. */
function TargetChoices(props: {
  list: List<Target>;
  chosen: Target | undefined;
  chosenId: string;
  onChoose: (id: string) => void;
}) {
  const { list, chosen, chosenId, onChoose } = props;
  if (list.error !== null) return <Failed error={list.error} again={list.again} />;
  if (list.isLoading) return <Loading what="targets" />;
  if (list.rows.length === 0) return <p className="text-soft">No target matches.</p>;
  const isBelow = chosen !== undefined && !list.rows.some(({ id }) => id === chosen.id);
  return (
    <>
      <fieldset className="flex max-h-96 min-w-0 flex-col overflow-y-auto rounded-md border border-line">
        <legend className="sr-only">Target</legend>
        {(isBelow ? [chosen, ...list.rows] : list.rows).map(
          ({ id, name, health, tried, ...urls }) => (
            <label
              key={id}
              className="flex items-center gap-3 border-b border-line px-3 py-2 hover:bg-sunk"
            >
              <input
                type="radio"
                name="target"
                checked={chosenId === id}
                onChange={() => onChoose(id)}
              />
              <span className="min-w-0 flex-1">
                <span className="foreign block truncate font-medium">{name}</span>
                <span className="foreign block truncate text-xs text-soft">{shownUrl(urls)}</span>
              </span>
              <TargetBadge target={{ health, tried }} />
            </label>
          ),
        )}
      </fieldset>
      {list.hasMore && (
        <Button kind="quiet" busy={list.isLoadingMore} onClick={list.more}>
          Load more targets
        </Button>
      )}
    </>
  );
}

const STREAMS = [
  { value: 'events', title: 'Events', text: 'Every change: created, updated, deleted' },
  { value: 'records', title: 'Records', text: 'The latest version of each record' },
] as const;

/** Chooses the stream, above the syncs. */
export function StreamChoice({ draft, onChange }: StepProps) {
  return (
    <fieldset className="grid grid-cols-1 min-w-0 gap-2 sm:grid-cols-2">
      <legend className="mb-1 font-medium">Stream</legend>
      {STREAMS.map(({ value, title, text }) => (
        <ChoiceCard
          key={value}
          name="stream"
          title={title}
          text={text}
          checked={draft.stream === value}
          onChoose={() =>
            onChange({ stream: value, ...(value === 'records' && { event_types: ['*'] }) })
          }
        />
      ))}
    </fieldset>
  );
}

/** Chooses where the consumer starts. */
export function StartStep({ draft, onChange, errorAt }: CheckedProps) {
  const zone = useZone();
  return (
    <>
      <fieldset className="grid min-w-0 grid-cols-1 gap-2 sm:grid-cols-3">
        <legend className="sr-only">Start position</legend>
        <ChoiceCard
          name="start"
          title="End"
          text="Sends entries that are appended from now on"
          checked={draft.start === 'end'}
          onChoose={() => onChange({ start: 'end' })}
        />
        <ChoiceCard
          name="start"
          title="Beginning"
          text="Sends every matching entry that is kept, and then new entries"
          checked={draft.start === 'beginning'}
          onChoose={() => onChange({ start: 'beginning' })}
        />
        <ChoiceCard
          name="start"
          title="A point in time"
          text="Sends every matching entry since then, and then new entries"
          checked={draft.start === 'time'}
          onChoose={() => onChange({ start: 'time', start_at: draft.start_at || hourAgo(zone) })}
        />
      </fieldset>
      {draft.start === 'time' && (
        <TextField
          label={`Time, ${ZONE_WORDS[zone]}`}
          type="datetime-local"
          required
          value={draft.start_at}
          onChange={(event) => onChange({ start_at: event.target.value })}
          hint="Sending starts with the first entry that was appended at this time or later"
          error={errorAt('/start')}
        />
      )}
    </>
  );
}

/** As a field for a date and a time has it, to the minute. */
function hourAgo(zone: Zone): string {
  return fieldText(Date.now() - 3_600_000, zone).slice(0, 16);
}
