import { CREDENTIALS } from './draft.ts';

const NAMES: Record<string, string> = {
  '/name': 'The name',
  '/base_url': 'The base URL',
  '/credentials': 'The credentials',
  '/headers': 'The headers',
  '/client_certificate': 'The client certificate',
  '/client_certificate/certificate': 'The certificate',
  '/client_certificate/key': 'The private key',
  '/timeout_ms': 'The timeout',
  '/max_in_flight': 'The number of requests in flight',
  '/rate_limit': 'The number of requests per second',
  '/ca': 'The CA certificate',
};

/** What the form calls the field at a pointer, as the beginning of a sentence; undefined for one that it has not. */
export function fieldName(pointer: string): string | undefined {
  const [, of, name = ''] = pointer.split('/');
  const part = name.replaceAll('~1', '/').replaceAll('~0', '~');
  if (of === 'headers' && name !== '') return `The header ${part}`;
  const all = Object.values(CREDENTIALS).flatMap(({ fields }) => fields);
  const title = of === 'credentials' ? all.find((one) => one.name === part)?.title : undefined;
  if (title !== undefined) return `The ${lowered(title)}`;
  return Object.hasOwn(NAMES, pointer) ? NAMES[pointer] : undefined;
}

/** A title within a sentence. */
export function lowered(title: string): string {
  return `${title.charAt(0).toLowerCase()}${title.slice(1)}`;
}
