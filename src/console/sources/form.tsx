import type { ReactNode } from 'react';

import { AreaField, SelectField, TextField } from '../ui/field.tsx';
import { Panel } from '../ui/panel.tsx';
import { SILENCE_UNITS, type SourceDraft } from './draft.ts';
import type { FoundTable } from './tableChoices.ts';
import { TablePicker } from './tablePicker.tsx';
import { UrlField } from './urlField.tsx';

interface Props {
  draft: SourceDraft;
  onChange: (change: Partial<SourceDraft>) => void;
  errorAt: (pointer: string) => string | undefined;
  /** The tables that the last test has found; null before one. */
  found: readonly FoundTable[] | null;
  /** The name that it gets if the field stays empty; without one, a name must be filled in. */
  proposedName?: string;
  /** The test of the connection. */
  children: ReactNode;
}

/** The form with the fields of a source: its database, its tables, its name, and when silence is told of. */
export function SourceForm(props: Props) {
  const { draft, onChange: set, errorAt, found, proposedName, children } = props;
  const isNew = proposedName !== undefined;
  return (
    <>
      <Panel title="Database">
        <UrlField
          value={draft.url}
          onChange={(url) => set({ url })}
          error={errorAt('/url')}
          isMasked={!isNew}
        />
        <details open={errorAt('/ca') !== undefined || undefined}>
          <summary>Custom certificate authority</summary>
          <div className="pt-2">
            <AreaField
              label="CA certificates (PEM)"
              rows={4}
              value={draft.ca}
              onChange={(event) => set({ ca: event.target.value })}
              hint="Used instead of the public CAs. Leave it empty to use those."
              error={errorAt('/ca')}
            />
          </div>
        </details>
        {children}
      </Panel>
      <Panel title="Tables">
        <TablePicker
          found={found}
          selected={draft.tables}
          onChange={(tables) => set({ tables })}
          error={errorAt('/tables')}
        />
      </Panel>
      <Panel title="Name and alert">
        <TextField
          label="Name"
          required={!isNew}
          placeholder={proposedName}
          value={draft.name}
          onChange={(event) => set({ name: event.target.value })}
          hint={
            isNew
              ? `Optional. Left empty, it is ${proposedName || 'the database and its host'}.`
              : 'A name for people, for example: Shop database'
          }
          error={errorAt('/name')}
        />
        <div className="grid grid-cols-[minmax(0,1fr)_8rem] items-start gap-2">
          <TextField
            label="Send a mail after a silence of"
            type="number"
            min="1"
            value={draft.silence}
            onChange={(event) => set({ silence: event.target.value })}
            hint="When no change has come for so long. Leave it empty for no such mail."
            error={errorAt('/expect_within')}
          />
          <SelectField
            label="Unit"
            value={draft.silenceUnit}
            onChange={(silenceUnit) => set({ silenceUnit })}
            options={SILENCE_UNITS.map((unit) => ({ value: unit, text: unit }))}
          />
        </div>
        {isNew && (
          <details open={errorAt('/sync_id') !== undefined || undefined}>
            <summary>Its sync</summary>
            <div className="pt-2">
              <TextField
                label="Sync of its records"
                value={draft.sync_id}
                onChange={(event) => set({ sync_id: event.target.value })}
                hint="Optional. Consumers filter by it. Left empty, it is the id of the source. It cannot be changed later."
                error={errorAt('/sync_id')}
              />
            </div>
          </details>
        )}
      </Panel>
    </>
  );
}
