import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import type { Consumer } from '../../schema/consumer.ts';
import { ActButton, ActLink } from '../act.tsx';
import { api } from '../api.ts';
import { DeleteDialog } from '../deleteDialog.tsx';
import { EditForm, type EditedFields } from '../editForm.tsx';
import { ShapeFields } from '../shaping/shapeFields.tsx';
import { triedShape, usePreview } from '../shaping/usePreview.ts';
import { buttonLook } from '../ui/button.tsx';
import { AreaField, SelectField, TextField } from '../ui/field.tsx';
import { Facts, Panel } from '../ui/panel.tsx';
import { amount } from '../words.ts';
import { settingsFaults } from './faults.ts';
import { ORDERINGS } from './orderings.ts';
import { draftOf, patchOf, type SettingsDraft } from './settingsDraft.ts';
import { waits } from './waits.ts';

/** The settings of a consumer (name, sending, alert addresses), its deletion, and its metadata. */
export function ConsumerSettings(props: {
  consumer: Consumer;
  /** The edits that are not saved yet. */
  edits: Partial<SettingsDraft>;
  onEdit: (edits: Partial<SettingsDraft>) => void;
}) {
  const { consumer, edits, onEdit } = props;
  const [isDeleting, setDeleting] = useState(false);
  return (
    <>
      <Panel title="Settings">
        <EditForm
          stored={draftOf(consumer)}
          edits={edits}
          onEdit={onEdit}
          faultsOf={(draft) => settingsFaults(draft, consumer.stream)}
          save={(draft, changed) => api.consumers.update(consumer.id, patchOf(draft, changed))}
          queryKey={['consumer', consumer.id]}
          saved="Saved"
          buttons={() => (
            <>
              <ActLink needs="manage" title="Duplicate">
                <Link to="/consumers/new" search={{ like: consumer.id }} className={buttonLook()}>
                  Duplicate
                </Link>
              </ActLink>
              <ActButton needs="manage" kind="danger" onClick={() => setDeleting(true)}>
                Delete consumer
              </ActButton>
            </>
          )}
        >
          {(fields) => <Fields consumer={consumer} {...fields} />}
        </EditForm>
        <DeleteDialog
          kind="consumer"
          id={consumer.id}
          name={consumer.name}
          description={lossOf(consumer)}
          remove={() => api.consumers.delete(consumer.id)}
          open={isDeleting}
          onClose={() => setDeleting(false)}
        />
      </Panel>
      <Metadata of={consumer} />
    </>
  );
}

/** What programs noted about a consumer with the API; the console does not change it. */
function Metadata({ of: { metadata } }: { of: Consumer }) {
  const notes = Object.entries(metadata);
  if (notes.length === 0) return null;
  const textOf = (value: unknown): string =>
    typeof value === 'string' ? value : JSON.stringify(value);
  return (
    <Panel title="Metadata">
      <Facts facts={notes.map(([name, value]) => [name, textOf(value)] as const)} />
      <p className="text-soft">Set with the API: PATCH /v1/consumers/ID.</p>
    </Panel>
  );
}

function Fields(props: EditedFields<SettingsDraft> & { consumer: Consumer }) {
  const { consumer, draft, set, errorAt } = props;
  const { stream, syncs, collections, event_types, where } = consumer;
  const preview = usePreview({
    stream,
    syncs,
    collections,
    event_types,
    where,
    ...triedShape(draft, stream),
  });
  return (
    <>
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
      <hr className="border-line" />
      <ShapeFields
        stream={stream}
        shape={draft}
        onChange={set}
        preview={preview}
        errorAt={errorAt}
      />
    </>
  );
}

/** What ends with a consumer that is deleted. */
function lossOf({ lag, parked }: Consumer): string {
  const waiting = waits(lag, 'waiting entry', 'waiting entries');
  return `It stops sending immediately: ${waiting} and ${amount(parked, 'parked entry', 'parked entries')} are not sent. Its position, dead letters and attempts are deleted. The streams keep their entries.`;
}
