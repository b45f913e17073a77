import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import type { Consumer, ConsumerPatch, Ordering } from '../../schema/consumer.ts';
import { ActButton, SaveChanges } from '../act.tsx';
import { api } from '../api.ts';
import { changedOf, edited } from '../edits.ts';
import { errorsOf } from '../fieldErrors.ts';
import { useRefusal } from '../session.ts';
import { Button } from '../ui/button.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { AreaField, SelectField, TextField } from '../ui/field.tsx';
import { ErrorText, Hint, Unsaved } from '../ui/notice.tsx';
import { Panel } from '../ui/panel.tsx';
import { useToasts } from '../ui/toast.tsx';
import { amount } from '../words.ts';
import { ORDERINGS } from './orderings.ts';
import { waits } from './waits.ts';

export interface SettingsDraft {
  name: string;
  path: string;
  ordering: Ordering;
  emails: string;
}

/** The settings of a consumer (name, sending, alert addresses), and its deletion. */
export function ConsumerSettings(props: {
  consumer: Consumer;
  /** What is not saved yet. */
  edits: Partial<SettingsDraft>;
  onEdit: (edits: Partial<SettingsDraft>) => void;
}) {
  const { consumer, edits, onEdit } = props;
  const [isDeleting, setDeleting] = useState(false);
  const refusal = useRefusal('manage');
  const queries = useQueryClient();
  const toasts = useToasts();
  const stored = draftOf(consumer);
  const draft = { ...stored, ...edits };
  const changed = changedOf(stored, edits);
  const set = (change: Partial<SettingsDraft>): void => onEdit(edited(stored, edits, change));
  const save = useMutation({
    mutationFn: () => api.consumers.update(consumer.id, patchOf(draft, changed)),
    onSuccess: (saved) => {
      queries.setQueryData(['consumer', consumer.id], saved);
      onEdit({});
      toasts.done('Saved');
    },
  });
  const errorAt = errorsOf(save.error);
  return (
    <Panel title="Settings">
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        {refusal !== null && <Hint>{refusal}</Hint>}
        <fieldset disabled={refusal !== null} className="contents">
          <div className="grid grid-cols-1 gap-3 sm:grid-cols-3">
            <TextField
              label="Name"
              required
              value={draft.name}
              onChange={(event) => set({ name: event.target.value })}
              error={errorAt('/name')}
            />
            <TextField
              label="Path"
              value={draft.path}
              onChange={(event) => set({ path: event.target.value })}
              hint="Appended to the target's base URL; empty, or begins with /"
              error={errorAt('/path')}
            />
            <SelectField
              label="Order"
              value={draft.ordering}
              onChange={(ordering) => set({ ordering })}
              options={ORDERINGS}
            />
          </div>
          <AreaField
            label="Alert addresses"
            rows={2}
            value={draft.emails}
            onChange={(event) => set({ emails: event.target.value })}
            hint="Email addresses, one per line. Left empty, alerts go to MILLRACE_ALERT_EMAIL."
            error={errorAt('/alert_emails')}
          />
        </fieldset>
        <Unsaved error={save.error} />
        <div className="flex flex-wrap gap-2">
          <SaveChanges busy={save.isPending} nothing={changed.length === 0} />
          <ActButton needs="manage" kind="danger" onClick={() => setDeleting(true)}>
            Delete consumer
          </ActButton>
        </div>
      </form>
      <DeleteDialog consumer={consumer} open={isDeleting} onClose={() => setDeleting(false)} />
    </Panel>
  );
}

function draftOf({ name, path, ordering, alert_emails }: Consumer): SettingsDraft {
  return { name, path, ordering, emails: alert_emails.join('\n') };
}

function patchOf(draft: SettingsDraft, changed: (keyof SettingsDraft)[]): ConsumerPatch {
  const alert_emails = draft.emails.split(/[\s,]+/u).filter((email) => email !== '');
  const all = { ...draft, name: draft.name.trim() };
  return Object.fromEntries(
    changed.map((name) => (name === 'emails' ? ['alert_emails', alert_emails] : [name, all[name]])),
  );
}

function DeleteDialog(props: { consumer: Consumer; open: boolean; onClose: () => void }) {
  const { consumer, open, onClose } = props;
  const { lag, parked, name, id } = consumer;
  const queries = useQueryClient();
  const navigate = useNavigate();
  const remove = useMutation({
    mutationFn: () => api.consumers.delete(id),
    onSuccess: async () => {
      await navigate({ to: '/consumers' });
      queries.removeQueries({ queryKey: ['consumer', id] });
      await queries.invalidateQueries({ queryKey: ['consumers'] });
    },
  });
  return (
    <Dialog
      open={open}
      onClose={onClose}
      title={`Delete ${name}?`}
      description={`It stops sending immediately: ${waits(lag, 'waiting entry', 'waiting entries')} and ${amount(parked, 'parked entry', 'parked entries')} are not sent. Its position, dead letters and attempts are deleted. The streams keep their entries.`}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="danger" busy={remove.isPending} onClick={() => remove.mutate()}>
            Delete
          </Button>
        </>
      }
    >
      {remove.error !== null && (
        <Hint tone="bad">
          <ErrorText error={remove.error} />
        </Hint>
      )}
    </Dialog>
  );
}
