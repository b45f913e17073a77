import { useId, useState } from 'react';

import { Button, buttonLook } from '../ui/button.tsx';
import { AreaField, BOX, Field } from '../ui/field.tsx';
import { pemParts, type CertificateDraft } from './pem.ts';

/** A certificate and its private key, pasted or read from files; the key is hidden unless the person shows it. */
export function PemFields(props: {
  draft: CertificateDraft;
  onChange: (draft: CertificateDraft) => void;
  errorAt: (pointer: string) => string | undefined;
}) {
  const { draft, onChange, errorAt } = props;
  const [isShown, setShown] = useState(false);
  const [refused, setRefused] = useState<string | null>(null);
  /** One file may hold both, so that what a file lacks stays as it is. */
  const take = (files: readonly string[]): void => {
    const { certificate, key } = pemParts(files.join('\n'));
    const isPem = certificate !== '' || key !== '';
    setRefused(isPem ? null : NOT_PEM);
    onChange({ certificate: certificate || draft.certificate, key: key || draft.key });
  };
  return (
    <>
      <p className="text-soft">
        Shown to an endpoint that asks for one (mTLS), on every request to this target. The key is
        stored sealed, and never shown again.
      </p>
      <FileButton onRead={take} error={refused} />
      <AreaField
        label="Certificate (PEM)"
        rows={5}
        autoFocus
        required
        value={draft.certificate}
        onChange={(event) => onChange({ ...draft, certificate: event.target.value })}
        hint="Followed by its intermediate certificates, if it has any"
        error={sentence('certificate', errorAt('/client_certificate/certificate'))}
      />
      <Field
        label="Private key (PEM)"
        hint="Not encrypted"
        error={sentence('private key', errorAt('/client_certificate/key'))}
      >
        {(attributes) => (
          <div className="flex items-start gap-2">
            <textarea
              {...attributes}
              rows={5}
              required
              autoComplete="off"
              spellCheck={false}
              value={draft.key}
              onChange={(event) => onChange({ ...draft, key: event.target.value })}
              className={`${BOX} font-mono ${isShown ? '' : '[-webkit-text-security:disc]'}`}
            />
            <Button aria-pressed={isShown} onClick={() => setShown(!isShown)}>
              {isShown ? 'Hide' : 'Show'}
            </Button>
          </div>
        )}
      </Field>
    </>
  );
}

const NOT_PEM =
  'These files hold no PEM. Convert them first, for example by openssl pkcs12 -in FILE -nodes -out FILE.pem.';

/** Reads the chosen files as texts. */
function FileButton(props: { onRead: (texts: string[]) => void; error: string | null }) {
  const { onRead, error } = props;
  const id = useId();
  const read = async (files: FileList): Promise<void> =>
    onRead(await Promise.all([...files].map((file) => file.text())));
  return (
    <div className="flex flex-wrap items-center gap-2">
      <label className={`${buttonLook()} cursor-pointer focus-within:outline-2`}>
        Choose files…
        <input
          type="file"
          multiple
          accept=".pem,.crt,.cer,.key,.txt"
          aria-describedby={id}
          className="sr-only"
          onChange={({ target }) => {
            if (target.files !== null) void read(target.files).finally(() => (target.value = ''));
          }}
        />
      </label>
      <p id={id} role="status" className={error === null ? 'text-soft' : 'text-bad'}>
        {error ?? 'The certificate and its key, in one file or two; or paste them below.'}
      </p>
    </div>
  );
}

/** A sentence about a field: the API says what is wrong in words that follow its name. */
function sentence(what: string, fault: string | undefined): string | undefined {
  if (fault === undefined || /^[A-Z]/u.test(fault)) return fault;
  return `The ${what} ${fault}${fault.endsWith('.') ? '' : '.'}`;
}
