import {
  faultsIn,
  lengthFault,
  nameFault,
  NAME_LENGTH,
  wholeFault,
  type Faults,
} from '../faults.ts';
import { CREDENTIALS, type TargetDraft } from './draft.ts';
import { lowered } from './fieldNames.ts';
import { certificateFault, keyFault } from './pem.ts';
import { urlFault } from './urlFault.ts';

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/u;
/** Printable ASCII, or the mask of what is stored. */
const HEADER_VALUE = /^(?:[\t\x20-\x7e]*|••••.{0,4})$/u;
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/u;
const SECRET_LENGTH = 4096;
const MOST_HEADERS = 50;

/** What has to be mended before a new target can be saved or tested; without a name it gets that of its host. */
export function newFaults(draft: TargetDraft): Faults {
  return {
    ...faultsIn({ '/name': lengthFault('The name', draft.name.trim(), NAME_LENGTH) }),
    ...othersOf(draft),
  };
}

/** What has to be mended before the settings of a target can be saved. */
export function storedFaults(draft: TargetDraft): Faults {
  return { ...faultsIn({ '/name': nameFault(draft.name, 'target') }), ...othersOf(draft) };
}

function othersOf(draft: TargetDraft): Faults {
  const { timeout_ms, max_in_flight, rate_limit } = draft;
  return {
    ...faultsIn({ '/base_url': urlFault(draft.base_url) }),
    ...credentialsFaults(draft),
    ...headersFaults(draft),
    ...faultsIn({
      '/timeout_ms': wholeFault('The timeout in milliseconds', timeout_ms, {
        least: 500,
        most: 15_000,
      }),
      '/max_in_flight': wholeFault('The number of requests in flight', max_in_flight, {
        least: 1,
        most: 1_000,
      }),
      '/rate_limit':
        rate_limit === ''
          ? null
          : wholeFault('The number of requests per second', rate_limit, {
              least: 1,
              most: 100_000,
            }),
    }),
    ...clientCertificateFaults(draft),
  };
}

function clientCertificateFaults({ client_certificate: draft }: TargetDraft): Faults {
  if (draft === null || draft === 'stored') return {};
  return faultsIn({
    '/client_certificate/certificate': certificateFault(draft.certificate),
    '/client_certificate/key': keyFault(draft.key),
  });
}

function credentialsFaults({ credentialsType, credentials }: TargetDraft): Faults {
  const faults = CREDENTIALS[credentialsType].fields.map(({ name, title, isOptional }) => {
    const what = lowered(title);
    const typed = credentials[name] ?? '';
    const missing = isOptional === true ? null : `Fill in the ${what}.`;
    const fault = typed === '' ? missing : credentialFault(name, `The ${what}`, typed);
    return [`/credentials/${name}`, fault] as const;
  });
  return faultsIn(Object.fromEntries(faults));
}

function credentialFault(name: string, what: string, typed: string): string | null {
  if (name === 'username' && typed.includes(':')) return `${what} must not contain a colon.`;
  if (name === 'token_url') return urlFault(typed);
  if (name === 'name') return headerNameFault(what, typed);
  if (name === 'token' || name === 'value') return headerValueFault(what, typed);
  if (name === 'scope' && !SCOPE.test(typed))
    return `${what} must be words with one space between them, without quotes.`;
  const isShort = name === 'username' || name === 'client_id' || name === 'scope';
  return lengthFault(what, typed, isShort ? 1024 : SECRET_LENGTH);
}

/** The fields of a header are numbered, because names may be missing or equal. */
function headersFaults({ headers }: TargetDraft): Faults {
  const names = headers.map(({ name }) => name.toLowerCase());
  const rows = headers.flatMap(({ name, value }, at) => {
    const what = `Header ${at + 1}`;
    const isTwice = name !== '' && names.indexOf(name.toLowerCase()) < at;
    const named = isTwice
      ? `${what} has the name of another header: give it a name of its own.`
      : rowNameFault(what, name, value);
    return [
      [headerPointer(at, 'name'), named],
      [headerPointer(at, 'value'), headerValueFault(`The value of header ${at + 1}`, value)],
    ] as const;
  });
  const isTooMany = names.filter((name) => name !== '').length > MOST_HEADERS;
  return faultsIn({
    ...Object.fromEntries(rows),
    '/headers': isTooMany ? `At most ${MOST_HEADERS} headers are allowed.` : null,
  });
}

/** The pointer of one field of a header, by its place in the form. */
export function headerPointer(at: number, part: 'name' | 'value'): string {
  return `/headers/${at}/${part}`;
}

/** A row that is empty altogether is left out. */
function rowNameFault(what: string, name: string, value: string): string | null {
  if (name !== '') return headerNameFault(`The name of ${what.toLowerCase()}`, name);
  return value === '' ? null : `${what} has a value and no name: fill in its name, or remove it.`;
}

function headerNameFault(what: string, name: string): string | null {
  if (HEADER_NAME.test(name)) return null;
  return `${what} must be a name such as x-team: letters, digits and hyphens without spaces, at most 128.`;
}

function headerValueFault(what: string, value: string): string | null {
  if (!HEADER_VALUE.test(value)) {
    return `${what} must be in one line and contain only printable ASCII characters.`;
  }
  return lengthFault(what, value, SECRET_LENGTH);
}
