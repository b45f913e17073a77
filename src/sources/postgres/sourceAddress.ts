import { refuseField } from '../../db/refusal.ts';
import type { OpenSocket, SourceConfig } from './sourceConfig.ts';
import { offersTls } from './tlsOffer.ts';

/**
 * How a connection is encrypted: `offered` if the server offers it; `unverified` always, whoever the server is;
 * `authority` by a server whose certificate an authority has issued; `full` by one whose certificate is for its host.
 */
export type Encryption = 'none' | 'offered' | 'unverified' | 'authority' | 'full';

/** Where a database is, and how to log in. Never log it. */
export interface SourceAddress {
  /** Lower case; an IPv6 address is without brackets. */
  host: string;
  port: number;
  user: string;
  /** Empty when the URL has none. */
  password: string;
  database: string;
  encryption: Encryption;
  /** PEM certificates to trust instead of the public authorities. */
  ca: string | null;
}

/** In place of a password. */
const MASK = '••••';
const PORT = 5432;
const ASK_MS = 10_000;
/** What libpq means by them; `require` with certificates to check is `verify-ca`, as there. */
const ENCRYPTION: Record<string, Encryption> = {
  disable: 'none',
  allow: 'offered',
  prefer: 'offered',
  require: 'unverified',
  'verify-ca': 'authority',
  'verify-full': 'full',
};
/** Parameters that URLs often have, and that say nothing about how Millrace connects. */
const WITHOUT_EFFECT = new Set([
  'application_name',
  'client_encoding',
  'connect_timeout',
  'gssencmode',
  'keepalives',
  'keepalives_count',
  'keepalives_idle',
  'keepalives_interval',
  'target_session_attrs',
  'tcp_user_timeout',
]);

/** Reads the URL of a database. Throws a `Refusal` that points at what can't be used; it never repeats a password. */
export function readAddress(text: string, ca: string | null): SourceAddress {
  const url = parsed(text);
  const parameters = parametersOf(url);
  const encryption = encryptionOf(parameters, ca);
  checkChannelBinding(parameters.get('channel_binding'), encryption);
  const user = decoded('user', url.username);
  if (user === '') throw refuseField('/url', 'must name a role: postgres://user:password@…');
  const database = decoded('database', url.pathname.slice(1));
  if (database === '') throw refuseField('/url', 'must name a database: postgres://…/database');
  const password = decoded('password', url.password);
  if (password === MASK)
    throw refuseField('/url', 'has a masked password: send the password itself');
  return {
    host: hostOf(url),
    port: portOf(url),
    user,
    password,
    database,
    encryption,
    ca,
  };
}

/** The URL with its password masked. Only for one that `readAddress` accepts. */
export function maskedUrl(text: string): string {
  const url = parsed(text);
  return url.password === '' ? text : withPassword(url, MASK);
}

/**
 * The URL that was sent, with the stored password in place of its mask. Throws a `Refusal` when there is none, and when
 * it would be sent elsewhere, or with less protection: a caller that has never seen it could otherwise have it sent to
 * a host of its own. `stored` is null when the stored URL can't be read.
 */
export function unmaskedUrl(sent: string, stored: string | null): string {
  const url = parsed(sent);
  if (decoded('password', url.password) !== MASK) return sent;
  const from = stored === null ? null : parsed(stored);
  if (from === null || from.password === '') {
    throw refuseField('/url', 'has a masked password, and none is known: send the password itself');
  }
  if (placeOf(url) !== placeOf(from)) {
    throw refuseField(
      '/url',
      'must be sent with its password when its host, port or sslmode changes',
    );
  }
  return withPassword(url, from.password);
}

/** Whether two URLs name the same host, port and database, whoever logs in. */
export function nameSameDatabase(one: string, other: string): boolean {
  const [a, b] = [parsed(one), parsed(other)].map((url) =>
    JSON.stringify([hostOf(url), portOf(url), url.pathname]),
  );
  return a === b;
}

/**
 * How the driver connects to an address. Nothing is left to the environment of this process, whose password for another
 * server would be sent there. Where encryption is optional, it asks the server whether it offers it.
 */
export async function sourceConfig(
  address: SourceAddress,
  openSocket: OpenSocket,
  /** How long that may take. */
  askMs = ASK_MS,
): Promise<SourceConfig> {
  const { host, port, user, password, database, encryption } = address;
  const isAsked = encryption === 'offered';
  const isOffered = isAsked && (await offersTls(openSocket, { host, port, withinMs: askMs }));
  return {
    host,
    port,
    user,
    database,
    password: () => password, // as a text, an empty one would be replaced by PGPASSWORD
    ssl: isOffered ? { rejectUnauthorized: false } : tlsOf(address),
    sslnegotiation: 'postgres',
    application_name: 'millrace',
    options: '-c search_path=',
    stream: openSocket,
  };
}

/** `rejectUnauthorized` overrides NODE_TLS_REJECT_UNAUTHORIZED. */
function tlsOf({ encryption, ca }: SourceAddress): NonNullable<SourceConfig['ssl']> {
  const trusted = ca === null ? {} : { ca };
  switch (encryption) {
    case 'none':
    case 'offered':
      return false;
    case 'unverified':
      return { rejectUnauthorized: false };
    case 'authority':
      return { ...trusted, rejectUnauthorized: true, checkServerIdentity: () => undefined };
    case 'full':
      return { ...trusted, rejectUnauthorized: true };
  }
}

function parsed(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && /^postgres(?:ql)?:$/u.test(url.protocol)) return url;
  throw refuseField('/url', 'must be postgres://user:password@host:port/database');
}

function parametersOf(url: URL): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    if (parameters.has(name)) throw refuseField('/url', `has the parameter ${name} twice`);
    parameters.set(name, value);
  }
  for (const name of parameters.keys()) {
    if (WITHOUT_EFFECT.has(name)) continue;
    if (name === 'sslmode' || name === 'channel_binding') continue;
    if (name === 'sslrootcert' && parameters.get(name) === 'system') continue;
    throw refuseField('/url', whyUnusable(name));
  }
  return parameters;
}

function whyUnusable(name: string): string {
  if (name === 'sslrootcert') return "can't name a file of certificates: send its text as ca";
  if (/^ssl(?:cert|key|password)$/u.test(name)) {
    return `has the parameter ${name}, and Millrace sends no client certificate: use a password`;
  }
  if (/^(?:host|hostaddr|port|user|password|dbname|service|passfile)$/u.test(name)) {
    return `has the parameter ${name}, which has to be before the question mark: postgres://user:password@host:port/database`;
  }
  return 'has a parameter that is not known: only sslmode is needed';
}

function encryptionOf(parameters: Map<string, string>, ca: string | null): Encryption {
  const mode = parameters.get('sslmode');
  const isSystem = parameters.has('sslrootcert');
  if (mode === undefined) return isSystem || ca !== null ? 'full' : 'offered';
  const encryption = Object.hasOwn(ENCRYPTION, mode) ? ENCRYPTION[mode] : undefined;
  if (encryption === undefined) {
    throw refuseField('/url', `must have a sslmode of ${Object.keys(ENCRYPTION).join(', ')}`);
  }
  if (isSystem && encryption !== 'full') {
    throw refuseField('/url', 'must have sslmode=verify-full with sslrootcert=system');
  }
  return encryption === 'unverified' && ca !== null ? 'authority' : encryption;
}

/** What it protects from, a verified certificate does as well. */
function checkChannelBinding(wanted: string | undefined, encryption: Encryption): void {
  if (wanted !== 'require' || encryption === 'full') return;
  throw refuseField(
    '/url',
    "can't have channel_binding=require, which Millrace does not do: use sslmode=verify-full, which ensures the same",
  );
}

/** As a URL of the web has it: escapes are read, and names in other scripts are in their ASCII form. */
function hostOf({ hostname }: URL): string {
  const host = URL.parse(`http://${hostname}/`)?.hostname ?? '';
  if (host.startsWith('[')) return host.slice(1, -1); // an IPv6 address
  if (/^[a-z0-9._-]+$/u.test(host)) return host;
  throw refuseField('/url', 'must have the name or the address of a host');
}

function portOf({ port }: URL): number {
  if (Number(port) === 0 && port !== '') throw refuseField('/url', 'must not have port 0');
  return port === '' ? PORT : Number(port);
}

/** A zero byte would end the text within the protocol, and begin another parameter of the session. */
function decoded(what: 'user' | 'password' | 'database', text: string): string {
  const plain = unescaped(what, text);
  if (plain.includes('\u0000')) throw refuseField('/url', `has a zero byte in its ${what}`);
  return plain;
}

function unescaped(what: string, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refuseField('/url', `has a % in its ${what} that begins no escape: write it as %25`);
  }
}

/** What decides where a password goes, and who can read it on the way. */
function placeOf(url: URL): string {
  return JSON.stringify([hostOf(url), portOf(url), url.searchParams.get('sslmode')]);
}

function withPassword(
  { protocol, username, host, pathname, search }: URL,
  password: string,
): string {
  return `${protocol}//${username}:${password}@${host}${pathname}${search}`;
}
