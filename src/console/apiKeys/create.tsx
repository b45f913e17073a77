import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';

import type { NewApiKey, Scope } from '../../schema/apiKey.ts';
import { api } from '../api.ts';
import { useReads } from '../queries.ts';
import { Button } from '../ui/button.tsx';
import { Code } from '../ui/copyText.tsx';
import { Dialog } from '../ui/dialog.tsx';
import { SelectField, TextField } from '../ui/field.tsx';
import { Unsaved } from '../ui/notice.tsx';

const SCOPES: Record<Scope, string> = {
  ingest: 'ingest: appends to the streams',
  read: 'read: reads everything',
  manage: 'manage: changes targets, consumers and keys, and reads',
};
const DAY_MS = 86_400_000;
const ENDS = [
  { value: '', text: 'Never' },
  { value: '7', text: 'In 7 days' },
  { value: '30', text: 'In 30 days' },
  { value: '90', text: 'In 90 days' },
  { value: '365', text: 'In a year' },
] as const;

/** Creates a key and shows it, which is possible only once. */
export function CreateKeyDialog({ onClose }: { onClose: () => void }) {
  const [made, setMade] = useState<NewApiKey | null>(null);
  return made === null ? (
    <Ask onClose={onClose} onMade={setMade} />
  ) : (
    <Dialog
      open
      onClose={onClose}
      title={`API key “${made.name}” created`}
      description="Copy it now: it is not shown again."
      actions={
        <Button kind="main" onClick={onClose}>
          Done
        </Button>
      }
    >
      <Code label="API key" text={made.key} />
      <p className="text-soft">
        Send it as <code>Authorization: Bearer …</code>, or set <code>MILLRACE_API_KEY</code> for
        the command line.
      </p>
    </Dialog>
  );
}

function Ask({ onClose, onMade }: { onClose: () => void; onMade: (key: NewApiKey) => void }) {
  const [name, setName] = useState('');
  const [scopes, setScopes] = useState<Scope[]>(['read']);
  const [days, setDays] = useState<(typeof ENDS)[number]['value']>('');
  const reads = useReads();
  const create = useMutation({
    mutationFn: () =>
      api.apiKeys.create({
        name: name.trim(),
        scopes,
        ...(days === ''
          ? {}
          : { expires_at: new Date(Date.now() + Number(days) * DAY_MS).toISOString() }),
      }),
    gcTime: 0, // the key is in its answer
    onSuccess: (key) => {
      onMade(key);
      void reads.again(['api-keys']);
    },
  });
  const close = (): void => {
    if (!create.isPending) onClose(); // the key is in the answer, and nowhere else
  };
  const toggle = (scope: Scope): void =>
    setScopes(scopes.includes(scope) ? scopes.filter((one) => one !== scope) : [...scopes, scope]);
  return (
    <Dialog open onClose={close} title="Create an API key">
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <TextField
          label="Name"
          hint="The person or program that uses it. Changes are recorded under this name."
          required
          maxLength={255}
          value={name}
          onChange={({ target }) => setName(target.value)}
        />
        <fieldset className="flex flex-col">
          <legend className="mb-1 font-medium">Scopes</legend>
          {(Object.keys(SCOPES) as Scope[]).map((scope) => (
            <label key={scope} className="flex min-h-8 items-center gap-2">
              <input
                type="checkbox"
                checked={scopes.includes(scope)}
                onChange={() => toggle(scope)}
              />
              {SCOPES[scope]}
            </label>
          ))}
        </fieldset>
        <SelectField label="Expires" value={days} onChange={setDays} options={ENDS} />
        <Unsaved error={create.error} />
        <div className="flex justify-end gap-2">
          <Button onClick={close} disabled={create.isPending}>
            Cancel
          </Button>
          <Button
            type="submit"
            kind="main"
            busy={create.isPending}
            disabled={scopes.length === 0 || name.trim() === ''}
          >
            Create key
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
