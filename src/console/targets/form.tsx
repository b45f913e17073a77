import type { ClientCertificate } from '../../schema/clientCertificate.ts';
import type { UnreadableSecret } from '../../schema/target.ts';
import { late } from '../late.tsx';
import { Button } from '../ui/button.tsx';
import { AreaField, SelectField, TextField } from '../ui/field.tsx';
import { Hint } from '../ui/notice.tsx';
import { Panel } from '../ui/panel.tsx';
import { CREDENTIALS, type CredentialsType, type TargetDraft } from './draft.ts';
import { headerPointer } from './faults.ts';

interface Props {
  draft: TargetDraft;
  onChange: (change: Partial<TargetDraft>) => void;
  errorAt: (pointer: string) => string | undefined;
  /** The stored secrets that can't be read. */
  unreadable?: readonly UnreadableSecret[];
  /** The client certificate that is stored. */
  certificate?: ClientCertificate | null;
  /** The name that it gets if the field stays empty; without one a name must be filled in. */
  proposedName?: string;
}

const LIMITS = [
  {
    name: 'timeout_ms',
    title: 'Timeout (ms)',
    hint: '500–15,000 ms until the status of the response arrives',
    required: true,
  },
  {
    name: 'max_in_flight',
    title: 'Max requests in flight',
    hint: '1–1,000, per consumer',
    required: true,
  },
  {
    name: 'rate_limit',
    title: 'Requests per second',
    hint: '1–100,000, per consumer. Leave it empty for no limit.',
  },
] as const;

/** What makes secrets readable again that are stored. */
const WAY_OUT =
  'Give MILLRACE_ENCRYPTION_KEYS the key again that sealed them, and restart all processes';

const ClientCertificatePanel = late(
  'the client certificate',
  async () => (await import('./clientCertificate.tsx')).ClientCertificatePanel,
);

/** The form with all fields of a target. */
export function TargetForm(props: Props) {
  const { draft, onChange: set, errorAt, proposedName } = props;
  const { certificate = null, unreadable = [] } = props;
  return (
    <>
      <Panel title="Endpoint">
        <TextField
          label="Base URL"
          type="url"
          required
          value={draft.base_url}
          onChange={(event) => set({ base_url: event.target.value })}
          hint="http:// or https://; each consumer may add a path"
          error={errorAt('/base_url')}
        />
        <TextField
          label="Name"
          required={proposedName === undefined}
          placeholder={proposedName}
          value={draft.name}
          onChange={(event) => set({ name: event.target.value })}
          hint={
            proposedName === undefined
              ? 'A name for people, for example: CRM of ACME'
              : `Optional. Left empty, it is ${proposedName || 'the host of the URL'}.`
          }
          error={errorAt('/name')}
        />
      </Panel>
      <Panel title="Credentials">
        <Credentials {...props} />
      </Panel>
      <Panel title="Headers">
        <Headers {...props} />
      </Panel>
      <ClientCertificatePanel
        stored={certificate}
        draft={draft.client_certificate}
        onChange={(client_certificate) => set({ client_certificate })}
        isUnreadable={unreadable.includes('client_certificate')}
        errorAt={errorAt}
      />
      <Panel title="Limits">
        <div className="grid grid-cols-1 gap-3 sm:grid-cols-3">
          {LIMITS.map(({ name, title, ...limits }) => (
            <TextField
              key={name}
              label={title}
              type="number"
              value={draft[name]}
              onChange={(event) => set({ [name]: event.target.value })}
              error={errorAt(`/${name}`)}
              {...limits}
            />
          ))}
        </div>
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
      </Panel>
    </>
  );
}

function Credentials({ draft, onChange, errorAt, unreadable = [] }: Props) {
  const all = Object.entries(CREDENTIALS) as [CredentialsType, { title: string }][];
  const isUnreadable = unreadable.includes('credentials');
  const types = all.filter(([type]) => type !== 'unreadable' || isUnreadable);
  const { fields } = CREDENTIALS[draft.credentialsType];
  return (
    <>
      <SelectField
        label="Type"
        value={draft.credentialsType}
        onChange={(credentialsType) => onChange({ credentialsType })}
        options={types.map(([value, { title }]) => ({ value, text: title }))}
        hint="Each webhook is also signed, whatever you select here"
        error={draft.credentialsType === 'unreadable' ? errorAt('/credentials') : undefined}
      />
      {draft.credentialsType === 'unreadable' && (
        <Hint tone="bad">
          Credentials are stored, but can't be read with the keys that Millrace has, so nothing can
          be sent. {WAY_OUT}, or choose their type here and fill them in again. Until then they stay
          as they are stored, whatever else you save.
        </Hint>
      )}
      <div className="grid grid-cols-1 gap-3 empty:hidden sm:grid-cols-2">
        {fields.map(({ name, title, isSecret, isOptional }) => (
          <TextField
            key={`${draft.credentialsType}.${name}`}
            label={isOptional === true ? `${title} (optional)` : title}
            type={isSecret === true ? 'password' : 'text'}
            autoComplete={isSecret === true ? 'new-password' : 'off'}
            required={isOptional !== true}
            value={draft.credentials[name] ?? ''}
            onChange={(event) =>
              onChange({ credentials: { ...draft.credentials, [name]: event.target.value } })
            }
            error={errorAt(`/credentials/${name}`)}
          />
        ))}
      </div>
    </>
  );
}

function Headers({ draft, onChange, errorAt, unreadable = [] }: Props) {
  const { headers } = draft;
  const change = (at: number, part: Partial<(typeof headers)[number]>): void =>
    onChange({ headers: headers.map((one, index) => (index === at ? { ...one, ...part } : one)) });
  const error = errorAt('/headers');
  return (
    <>
      {unreadable.includes('headers') && (
        <Hint tone="bad">
          Headers with secrets are stored as well, but can't be read with the keys that Millrace
          has, so they are not listed, and nothing can be sent. {WAY_OUT}, or fill in all headers
          again. Until you change a header here, they stay as they are stored; saving a change takes
          the place of all.
        </Hint>
      )}
      {headers.length === 0 && !unreadable.includes('headers') && (
        <p className="text-soft">No headers. Headers are sent with each webhook.</p>
      )}
      {headers.map(({ name, value }, index) => (
        // oxlint-disable-next-line react/no-array-index-key -- rows have no other name while they are typed
        <div key={index} className="grid grid-cols-[1fr_1fr_auto] items-start gap-2">
          <TextField
            label={`Header ${index + 1}`}
            value={name}
            onChange={(event) => change(index, { name: event.target.value })}
            error={errorAt(headerPointer(index, 'name'))}
          />
          <TextField
            label="Value"
            value={value}
            onChange={(event) => change(index, { value: event.target.value })}
            error={errorAt(headerPointer(index, 'value'))}
          />
          <Button
            kind="quiet"
            className="mt-6"
            aria-label={`Remove header ${index + 1}`}
            onClick={() => onChange({ headers: headers.filter((_, at) => at !== index) })}
          >
            ✕
          </Button>
        </div>
      ))}
      {error !== undefined && <p className="foreign text-bad">{error}</p>}
      <div>
        <Button onClick={() => onChange({ headers: [...headers, { name: '', value: '' }] })}>
          Add a header
        </Button>
      </div>
    </>
  );
}
