import { useMutation, type QueryKey } from '@tanstack/react-query';
import type { ReactNode } from 'react';

import { SaveChanges } from './act.tsx';
import type { FieldName } from './api.ts';
import { changedOf, edited } from './edits.ts';
import type { Faults } from './faults.ts';
import { errorsOf } from './fieldErrors.ts';
import { useReads } from './queries.ts';
import { useRefusal } from './session.ts';
import { Hint, Unsaved } from './ui/notice.tsx';
import { useToasts } from './ui/toast.tsx';
import { useFaults } from './useFaults.ts';

/** What a field of an `EditForm` needs. */
export interface EditedFields<Draft extends object> {
  /** What is stored, with the edits over it. */
  draft: Draft;
  set: (change: Partial<Draft>) => void;
  /** What is wrong with a field, by its pointer: as the form finds it, or as the API says that refused it. */
  errorAt: (pointer: string) => string | undefined;
}

/**
 * A form over stored fields. The page keeps the edits, so that visiting another tab of it loses nothing. Only
 * fields that were changed are saved, once nothing is wrong with them; the answer replaces what the page has read, and
 * ends the edits. A session that may not change anything sees the reason, and the fields as they are.
 */
export function EditForm<Draft extends object>(props: {
  stored: Draft;
  edits: Partial<Draft>;
  onEdit: (edits: Partial<Draft>) => void;
  /** What has to be mended before it can be saved. */
  faultsOf: (draft: Draft) => Faults;
  /** Resolves to what is stored then. */
  save: (draft: Draft, changed: (keyof Draft)[]) => Promise<unknown>;
  /** What the form calls its fields; otherwise they have the names of the API. */
  nameOf?: FieldName;
  /** The query that the page reads it by. */
  queryKey: QueryKey;
  /** What is said once it is saved. */
  saved: string;
  children: (fields: EditedFields<Draft>) => ReactNode;
  /** The buttons beside the one that saves. */
  buttons: (isChanged: boolean) => ReactNode;
}) {
  const { stored, edits, onEdit, faultsOf, queryKey, children, buttons } = props;
  const refusal = useRefusal('manage');
  const reads = useReads();
  const toasts = useToasts();
  const draft = { ...stored, ...edits };
  const changed = changedOf(stored, edits);
  const isChanged = changed.length > 0;
  const { element, isSendable, faultAt } = useFaults(newFaults(faultsOf(stored), faultsOf(draft)));
  const save = useMutation({
    mutationFn: () => props.save(draft, changed),
    onSuccess: async (answer) => {
      await reads.replace(queryKey, answer);
      onEdit({});
      toasts.done(props.saved);
    },
  });
  const refused = errorsOf(save.error);
  return (
    <form
      className="flex flex-col gap-3"
      ref={element}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (isSendable()) save.mutate();
        else save.reset();
      }}
    >
      {refusal !== null && <Hint>{refusal}</Hint>}
      <fieldset disabled={refusal !== null} className="contents">
        {children({
          draft,
          set: (change) => onEdit(edited(stored, edits, change)),
          errorAt: (pointer) => faultAt(pointer) ?? refused(pointer),
        })}
      </fieldset>
      <Unsaved error={save.error} nameOf={props.nameOf} />
      <div className="flex flex-wrap gap-2">
        <SaveChanges busy={save.isPending} nothing={!isChanged} />
        {buttons(isChanged)}
      </div>
    </form>
  );
}

/** The faults that the edits have brought: what was stored already keeps nothing else from being saved. */
function newFaults(before: Faults, now: Faults): Faults {
  return Object.fromEntries(
    Object.entries(now).filter(([pointer, fault]) => fault !== before[pointer]),
  );
}
