import type { Target, TargetInput } from '../../schema/target.ts';
import { isText, oneOf, type Form } from '../keptForm.ts';
import type { CertificateDraft } from './pem.ts';

/** `unreadable`: stored credentials that can't be read now. */
export type CredentialsType = 'none' | 'basic' | 'bearer' | 'header' | 'oauth2' | 'unreadable';

/** The fields of the form; they are texts until they are sent. */
export interface TargetDraft {
  name: string;
  base_url: string;
  credentialsType: CredentialsType;
  /** The fields of every type of credentials, so that choosing another type loses nothing. */
  credentials: Record<string, string>;
  headers: { name: string; value: string }[];
  timeout_ms: string;
  max_in_flight: string;
  rate_limit: string;
  ca: string;
  /** `stored` leaves what is stored as it is; null: none. */
  client_certificate: CertificateDraft | 'stored' | null;
}

/** The fields of each type, in the order in which they are asked for. */
export const CREDENTIALS: Record<
  CredentialsType,
  { title: string; fields: { name: string; title: string; isSecret?: true; isOptional?: true }[] }
> = {
  unreadable: { title: "Those that are stored, which can't be read", fields: [] },
  none: { title: 'None', fields: [] },
  basic: {
    title: 'User name and password (Basic)',
    fields: [
      { name: 'username', title: 'User name' },
      { name: 'password', title: 'Password', isSecret: true },
    ],
  },
  bearer: {
    title: 'Token (Authorization: Bearer)',
    fields: [{ name: 'token', title: 'Token', isSecret: true }],
  },
  header: {
    title: 'A header with a secret',
    fields: [
      { name: 'name', title: 'Header name' },
      { name: 'value', title: 'Header value', isSecret: true },
    ],
  },
  oauth2: {
    title: 'OAuth 2 client credentials',
    fields: [
      { name: 'token_url', title: 'Token URL' },
      { name: 'client_id', title: 'Client ID' },
      { name: 'client_secret', title: 'Client secret', isSecret: true },
      { name: 'scope', title: 'Scope', isOptional: true },
    ],
  },
};

/** An untouched form, with the API's defaults. */
export const BLANK: TargetDraft = {
  name: '',
  base_url: '',
  credentialsType: 'none',
  credentials: {},
  headers: [],
  timeout_ms: '15000',
  max_in_flight: '64',
  rate_limit: '',
  ca: '',
  client_certificate: null,
};

/** Leaves out credentials, headers, the client certificate with its key, and a URL that holds credentials, so that no secret is kept. */
export const TARGET_FORM: Form<TargetDraft> = {
  name: 'target',
  version: 1,
  fields: {
    name: isText,
    base_url: (value) => isText(value) && !/^[^/?#]*\/\/[^/?#]*@/u.test(value),
    credentialsType: oneOf(...Object.keys(CREDENTIALS).filter((type) => type !== 'unreadable')),
    timeout_ms: isText,
    max_in_flight: isText,
    rate_limit: isText,
    ca: (value) => isText(value) && !value.includes('PRIVATE KEY'),
  },
};

/** A stored target as a form; secrets that are masked or can't be read stay what they are when sent back. */
export function draftOf(target: Target): TargetDraft {
  const { type, ...fields } = target.credentials;
  return {
    name: target.name,
    base_url: target.base_url,
    credentialsType: type,
    credentials: { ...fields } as Record<string, string>,
    headers: Object.entries(target.headers).map(([name, value]) => ({ name, value })),
    timeout_ms: String(target.timeout_ms),
    max_in_flight: String(target.max_in_flight),
    rate_limit: target.rate_limit === null ? '' : String(target.rate_limit),
    ca: target.ca ?? '',
    client_certificate: target.client_certificate === null ? null : 'stored',
  };
}

/** The fields of a stored target that are sent: only those that were changed. */
export function patchOf(draft: TargetDraft, changed: (keyof TargetDraft)[]): Partial<TargetInput> {
  const body = bodyOf(draft);
  return Object.fromEntries(
    changed
      .map((name) => (name === 'credentialsType' ? 'credentials' : name))
      .map((name) => [name, body[name]]),
  );
}

/** The input for the API, which checks it. */
export function bodyOf(draft: TargetDraft): TargetInput {
  const type = draft.credentialsType;
  const fields = CREDENTIALS[type].fields.flatMap(({ name, isOptional }) => {
    const value = draft.credentials[name] ?? '';
    return value === '' && isOptional === true ? [] : [[name, value] as const];
  });
  const headers = draft.headers.filter(({ name }) => name !== '');
  return {
    name: draft.name.trim(),
    kind: 'webhook',
    base_url: draft.base_url.trim(),
    credentials: { type, ...Object.fromEntries(fields) } as TargetInput['credentials'],
    headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])),
    timeout_ms: Number(draft.timeout_ms),
    max_in_flight: Number(draft.max_in_flight),
    rate_limit: draft.rate_limit === '' ? null : Number(draft.rate_limit),
    ca: draft.ca.trim() === '' ? null : draft.ca,
    ...(draft.client_certificate !== 'stored' && { client_certificate: draft.client_certificate }),
  } as TargetInput;
}
