import { useMutation } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';

import type { Consumer, Filter } from '../../schema/consumer.ts';
import { ActButton } from '../act.tsx';
import { api } from '../api.ts';
import { errorsOf } from '../fieldErrors.ts';
import { useReads } from '../queries.ts';
import { ConditionPanel } from '../shaping/conditionPanel.tsx';
import { Condition } from '../shaping/conditionText.tsx';
import { usePreview } from '../shaping/usePreview.ts';
import { Button } from '../ui/button.tsx';
import { Hint, Unsaved } from '../ui/notice.tsx';
import { Facts, Panel } from '../ui/panel.tsx';
import { useToasts } from '../ui/toast.tsx';
import { listed, number } from '../words.ts';
import { conditionOf, deltaOf, isSameFilter } from './filterDelta.ts';
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
  const { consumer, draft, onEdit } = props;
  const box = useFocusKept(draft !== null);
  return (
    <div ref={box} tabIndex={-1} className="outline-none">
      {draft === null ? (
        <Shown consumer={consumer} onEdit={() => onEdit(filterOf(consumer))} />
      ) : (
        <Edited consumer={consumer} draft={draft} onEdit={onEdit} />
      )}
    </div>
  );
}

function Shown({ consumer, onEdit }: { consumer: Consumer; onEdit: () => void }) {
  return (
    <Panel
      title="Filter"
      actions={
        <ActButton needs="manage" onClick={onEdit}>
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
          ['Condition', <Condition key="where" text={consumer.where} />],
          [
            'Version',
            `${consumer.filter_version}, applies after position ${number(consumer.filter_from)}`,
          ],
        ]}
      />
    </Panel>
  );
}

function Edited(props: {
  consumer: Consumer;
  draft: Filter;
  onEdit: (draft: Filter | null) => void;
}) {
  const { consumer, draft, onEdit } = props;
  const reads = useReads();
  const toasts = useToasts();
  const save = useMutation({
    mutationFn: (wanted: Filter) => send(consumer, wanted),
    onSuccess: async (changed) => {
      await reads.replace(['consumer', consumer.id], changed);
      onEdit(null);
      toasts.done(
        `Filter saved (version ${changed.filter_version}); it applies after position ${number(changed.filter_from)}.`,
      );
    },
  });
  const { stream } = consumer;
  const where = draft.where ?? null;
  const preview = usePreview({ stream, ...draft, where: conditionOf(draft) });
  const set = (change: Partial<Filter>): void => onEdit({ ...draft, ...change });
  const field = { filter: draft, onChange: set, stream };
  return (
    <div className="grid grid-cols-1 items-start gap-4 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
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
        <ConditionPanel
          stream={stream}
          where={where}
          onChange={(condition) => set({ where: condition })}
          fault={preview.conditionFault}
          error={preview.conditionError ?? errorsOf(save.error)('/where')}
        />
      </div>
      <div className="flex min-w-0 flex-col gap-3 lg:sticky lg:top-16">
        <FilterPreview stream={stream} preview={preview} />
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
          <Button kind="quiet" onClick={() => onEdit(null)}>
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

function filterOf({ syncs, collections, event_types, where }: Consumer): Filter {
  return { syncs, collections, event_types, where };
}

/**
 * Sends only what was changed, so that another edit made meanwhile is kept; whole lists if they are no longer
 * `*`.
 */
async function send(consumer: Consumer, wanted: Filter): Promise<Consumer> {
  const delta = deltaOf(consumer, wanted);
  return delta === null
    ? api.consumers.update(consumer.id, { ...wanted, where: conditionOf(wanted) })
    : api.consumers.filter(consumer.id, delta);
}
