import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';

import type { Consumer, Filter } from '../../schema/consumer.ts';
import { ActButton } from '../act.tsx';
import { api } from '../api.ts';
import { Button } from '../ui/button.tsx';
import { Hint, Unsaved } from '../ui/notice.tsx';
import { Facts, Panel } from '../ui/panel.tsx';
import { useToasts } from '../ui/toast.tsx';
import { listed, number } from '../words.ts';
import { deltaOf, isSameFilter } from './filterDelta.ts';
import { CollectionsField, EventTypesField, SyncsField } from './filterFields.tsx';
import { FilterPreview } from './preview.tsx';

/**
 * The filter, which is edited in place; an edit takes effect immediately for everything that has not been read
 * yet.
 */
export function FilterPanel(props: {
  consumer: Consumer;
  /** The filter while it is edited. */
  draft: Filter | null;
  onEdit: (draft: Filter | null) => void;
}) {
  const { consumer, draft, onEdit: setDraft } = props;
  const box = useFocusKept(draft !== null);
  const queries = useQueryClient();
  const toasts = useToasts();
  const save = useMutation({
    mutationFn: (wanted: Filter) => send(consumer, wanted),
    onSuccess: (changed) => {
      queries.setQueryData(['consumer', consumer.id], changed);
      setDraft(null);
      toasts.done(
        `Filter saved (version ${changed.filter_version}); it applies after position ${number(changed.filter_from)}.`,
      );
    },
  });
  if (draft === null) {
    return (
      <div ref={box} tabIndex={-1} className="outline-none">
        <Panel
          title="Filter"
          actions={
            <ActButton needs="manage" onClick={() => setDraft(filterOf(consumer))}>
              Edit filter
            </ActButton>
          }
        >
          <Facts
            facts={[
              ['Stream', consumer.stream],
              ['Syncs', listed(consumer.syncs, 12)],
              ['Collections', listed(consumer.collections, 12)],
              [
                'Event types',
                consumer.stream === 'records' ? 'do not apply' : listed(consumer.event_types, 3),
              ],
              [
                'Version',
                `${consumer.filter_version}, applies after position ${number(consumer.filter_from)}`,
              ],
            ]}
          />
        </Panel>
      </div>
    );
  }
  const set = (change: Partial<Filter>): void => setDraft({ ...draft, ...change });
  const field = { filter: draft, onChange: set, stream: consumer.stream };
  return (
    <div
      ref={box}
      tabIndex={-1}
      className="grid grid-cols-1 items-start gap-4 outline-none lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]"
    >
      <div className="flex min-w-0 flex-col gap-3">
        <Panel title="Syncs">
          <SyncsField {...field} />
        </Panel>
        <Panel title="Collections">
          <CollectionsField {...field} />
        </Panel>
        <Panel title="Event types">
          <EventTypesField {...field} />
        </Panel>
      </div>
      <div className="flex min-w-0 flex-col gap-3 lg:sticky lg:top-16">
        <FilterPreview stream={consumer.stream} filter={draft} />
        <Hint>
          The filter takes effect as soon as it is saved, without a restart. Earlier entries are not
          added, and nothing is sent again. Waiting entries that no longer match are not sent.
        </Hint>
        <Unsaved error={save.error} />
        <div className="flex gap-2">
          <Button
            kind="main"
            busy={save.isPending}
            disabled={isSameFilter(consumer, draft)}
            onClick={() => save.mutate(draft)}
          >
            Save filter
          </Button>
          <Button kind="quiet" onClick={() => setDraft(null)}>
            Cancel
          </Button>
        </div>
      </div>
    </div>
  );
}

/** The button that begins or ends the edit is gone then: the focus stays here. */
function useFocusKept(isEdited: boolean) {
  const box = useRef<HTMLDivElement>(null);
  const before = useRef(isEdited);
  useEffect(() => {
    if (before.current === isEdited) return;
    before.current = isEdited;
    if (document.activeElement === document.body) box.current?.focus({ preventScroll: true });
  }, [isEdited]);
  return box;
}

function filterOf({ syncs, collections, event_types }: Consumer): Filter {
  return { syncs, collections, event_types };
}

/**
 * Sends only what was changed, so that another edit made meanwhile is kept; whole lists if they are no longer
 * `*`.
 */
async function send(consumer: Consumer, wanted: Filter): Promise<Consumer> {
  const delta = deltaOf(consumer, wanted);
  return delta === null
    ? api.consumers.update(consumer.id, wanted)
    : api.consumers.filter(consumer.id, delta);
}
