import { certificateEnd } from '../../rules/certificateEnd.ts';
import type { ClientCertificate } from '../../schema/clientCertificate.ts';
import { Button } from '../ui/button.tsx';
import { Hint } from '../ui/notice.tsx';
import { Facts, Panel } from '../ui/panel.tsx';
import { TimeText, useNow } from '../ui/timeText.tsx';
import type { CertificateDraft } from './pem.ts';
import { PemFields } from './pemFields.tsx';

interface Props {
  /** What is stored; null: nothing. */
  stored: ClientCertificate | null;
  /** What is to be stored: `stored` leaves it as it is, and null removes it. */
  draft: CertificateDraft | 'stored' | null;
  onChange: (draft: CertificateDraft | 'stored' | null) => void;
  /** Whether what is stored can't be read. */
  isUnreadable: boolean;
  errorAt: (pointer: string) => string | undefined;
}

const BLANK: CertificateDraft = { certificate: '', key: '' };

/** The certificate that a target shows to an endpoint that asks who is there, and the ways to replace and remove it. */
export function ClientCertificatePanel(props: Props) {
  const { stored, draft, onChange, errorAt } = props;
  const before = stored === null ? null : 'stored';
  const error = errorAt('/client_certificate');
  return (
    <Panel title="Client certificate">
      {draft === null && <None {...props} />}
      {draft === 'stored' && stored !== null && <Stored {...props} stored={stored} />}
      {draft !== null && draft !== 'stored' && (
        <>
          <PemFields draft={draft} onChange={onChange} errorAt={errorAt} />
          <div>
            <Button kind="quiet" onClick={() => onChange(before)}>
              {stored === null ? 'No client certificate' : 'Keep the stored certificate'}
            </Button>
          </div>
        </>
      )}
      {error !== undefined && (draft === null || draft === 'stored') && (
        <p className="foreign text-bad">The client certificate {error}.</p>
      )}
    </Panel>
  );
}

function None({ stored, onChange }: Props) {
  return (
    <>
      <p className="text-soft">
        {stored === null
          ? 'None. Endpoints that ask for one (mTLS) refuse connections without it.'
          : 'The stored certificate and its key are removed when you save.'}
      </p>
      <div>
        {stored === null ? (
          <Button onClick={() => onChange(BLANK)}>Add a client certificate</Button>
        ) : (
          <Button onClick={() => onChange('stored')}>Keep the stored certificate</Button>
        )}
      </div>
    </>
  );
}

function Stored({ stored, onChange, isUnreadable }: Props & { stored: ClientCertificate }) {
  return (
    <>
      <EndWarning validUntil={stored.valid_until} />
      {isUnreadable && (
        <Hint tone="bad">
          Its key is stored, but can't be read with the keys that Millrace has, so nothing can be
          sent. Replace it, or give MILLRACE_ENCRYPTION_KEYS the key again that sealed it, and
          restart all processes.
        </Hint>
      )}
      <Facts
        facts={[
          ['Subject', stored.subject],
          ['Issuer', stored.issuer],
          ['Valid from', <TimeText key="from" at={stored.valid_from} isMinute />],
          ['Valid until', <TimeText key="until" at={stored.valid_until} isMinute />],
          [
            'SHA-256',
            <code key="f" className="text-xs">
              {stored.fingerprint}
            </code>,
          ],
          ['Private key', 'stored, and never shown'],
        ]}
      />
      <div className="flex flex-wrap gap-2">
        <Button onClick={() => onChange(BLANK)}>Replace…</Button>
        <Button kind="quiet" onClick={() => onChange(null)}>
          Remove
        </Button>
      </div>
    </>
  );
}

/** Says that the certificate ends soon, or has ended. */
function EndWarning({ validUntil }: { validUntil: string }) {
  const end = certificateEnd(validUntil, useNow());
  if (end === null) return null;
  return (
    <Hint tone={end === 'over' ? 'bad' : 'warn'}>
      {end === 'over' ? 'It ended ' : 'It ends '}
      <TimeText at={validUntil} />
      {end === 'over'
        ? ': endpoints refuse it. Replace it with a new one.'
        : ': replace it before then, or endpoints will refuse connections.'}
    </Hint>
  );
}
