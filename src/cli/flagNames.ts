/** The flags of a command, `--name` each, and its arguments, `<consumer>` each. */
export interface Flags {
  flags: readonly string[];
  args: readonly string[];
}

/** The flags and arguments that set a field of the API, by its path; the first one that a command has is meant. */
const SET_BY: Record<string, readonly string[]> = {
  syncs: ['--sync'],
  sync_id: ['--sync'],
  collections: ['--collection'],
  collection_id: ['--collection'],
  event_types: ['--event'],
  url: ['--url-file'],
  tables: ['--table'],
  upstream_id: ['--upstream-id', '--id', '--key'],
  target_id: ['--target'],
  alert_emails: ['--alert-email'],
  credentials: ['--basic, --bearer-token or --header-key'],
  'credentials.token_url': ['--oauth2-token-url'],
  'credentials.client_id': ['--oauth2-client-id'],
  'credentials.client_secret': ['--oauth2-client-secret'],
  'credentials.scope': ['--oauth2-scope'],
  'client_certificate.certificate': ['--client-certificate'],
  'client_certificate.key': ['--client-key'],
  headers: ['--header'],
  scopes: ['--scope'],
  to: ['<place>', '--to'],
  position: ['<position>'],
  ids: ['--id'],
  since: ['--since'],
  until: ['--until'],
  include: ['--trace'],
  q: ['--q', '<text>'],
};

/**
 * Names the subject of a fault in a request as the user gave it: the flag or argument that sets the field, else
 * the field in the JSON of `--input`.
 */
export function nameOf(pointer: string, { flags, args }: Flags): string {
  const path = pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (/^(?:events|records)$/u.test(path[0] ?? '') && /^\d+$/u.test(path[1] ?? ''))
    path.splice(0, 2);
  const verb = path[0] === 'add' || path[0] === 'remove' ? path.shift() : undefined;
  const [field = '', part] = path;
  if (field === '') return 'The request';
  const given = [...flags, ...args];
  const own = `--${field.replaceAll('_', '-')}`;
  const set = (SET_BY[`${field}.${part ?? ''}`] ?? SET_BY[field] ?? [own])
    .map((name) => (verb === undefined ? name : name.replace('--', `--${verb}-`)))
    .find((name) => name.split(/, | or /u).every((one) => given.includes(one)));
  if (set === undefined) {
    const name = path.join('.');
    return flags.includes('--input') ? `${name} in --input` : name;
  }
  return field === 'headers' && part !== undefined ? `${set} ${part}` : set;
}
