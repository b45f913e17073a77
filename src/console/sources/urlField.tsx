import { useState } from 'react';

import { Button } from '../ui/button.tsx';
import { BOX, Field } from '../ui/field.tsx';

/** The URL of a database, which has a password: it is hidden unless the person shows it. */
export function UrlField(props: {
  value: string;
  onChange: (value: string) => void;
  error: string | undefined;
  /** Whether it is shown at first, as long as its password is masked. */
  isMasked?: boolean;
}) {
  const { value, onChange, error, isMasked = false } = props;
  const [isShown, setShown] = useState(isMasked);
  return (
    <Field
      label="Database URL"
      hint={
        isMasked
          ? 'Leave •••• to keep the stored password, which is not shown.'
          : 'postgres://user:password@host:5432/database. Add ?sslmode=verify-full where the database has a certificate.'
      }
      error={error}
    >
      {(attributes) => (
        <div className="flex gap-2">
          <input
            {...attributes}
            type={isShown ? 'text' : 'password'}
            autoComplete={isShown ? 'off' : 'new-password'}
            spellCheck={false}
            required
            value={value}
            onChange={(event) => onChange(event.target.value)}
            className={`${BOX} ${isShown ? 'font-mono' : ''}`}
          />
          <Button aria-pressed={isShown} onClick={() => setShown(!isShown)}>
            {isShown ? 'Hide' : 'Show'}
          </Button>
        </div>
      )}
    </Field>
  );
}
