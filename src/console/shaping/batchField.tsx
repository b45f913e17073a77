import { useId, useState } from 'react';

import type { StreamName } from '../../schema/stream.ts';
import { TextField } from '../ui/field.tsx';
import { FIRST_BATCH, type BatchDraft } from './batches.ts';

const FIELDS = [
  {
    name: 'entries',
    pointer: '/batch/max_entries',
    title: 'Max entries',
    hint: '2–1,000 per request. A full batch is sent immediately.',
  },
  {
    name: 'kilobytes',
    pointer: '/batch/max_bytes',
    title: 'Max size (KB)',
    hint: '1–8,192 KB per body. A larger entry is sent alone.',
  },
  {
    name: 'wait',
    pointer: '/batch/max_wait_ms',
    title: 'Max wait (ms)',
    hint: '0–10,000 ms that an incomplete batch waits for further entries.',
  },
] as const;

/** Whether a request carries several entries, and within which limits; what was filled in outlasts turning it off. */
export function BatchField(props: {
  stream: StreamName;
  batch: BatchDraft | null;
  onChange: (batch: BatchDraft | null) => void;
  errorAt: (pointer: string) => string | undefined;
}) {
  const { stream, batch, onChange, errorAt } = props;
  const [last, setLast] = useState(batch ?? FIRST_BATCH);
  const id = useId();
  const change = (to: BatchDraft): void => {
    setLast(to);
    onChange(to);
  };
  return (
    <fieldset className="flex min-w-0 flex-col gap-3">
      <legend className="mb-1 font-semibold">Batches</legend>
      <label className="flex items-center gap-2">
        <input
          type="checkbox"
          aria-describedby={id}
          checked={batch !== null}
          onChange={({ target }) => onChange(target.checked ? last : null)}
        />
        Send several entries with one request
      </label>
      <p id={id} className="text-soft">
        The endpoint gets <code>{`{"${stream}":[…]}`}</code>, signed as a whole. Each element is
        exactly what a request for that entry alone would carry.{' '}
        <a href="/docs/shaping#batches" target="_blank" rel="noreferrer" className="underline">
          About batches
        </a>
      </p>
      {batch !== null && (
        <div className="grid grid-cols-1 gap-3 sm:grid-cols-3">
          {FIELDS.map(({ name, pointer, title, hint }) => (
            <TextField
              key={name}
              label={title}
              type="number"
              step="any"
              required
              value={batch[name]}
              onChange={(event) => change({ ...batch, [name]: event.target.value })}
              hint={hint}
              error={errorAt(pointer)}
            />
          ))}
        </div>
      )}
    </fieldset>
  );
}
