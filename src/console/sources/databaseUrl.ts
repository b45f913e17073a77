const EXAMPLE = 'postgres://user:password@host:5432/database';
/** What the API shows in the place of a password. */
const MASK = '••••';

/**
 * What is wrong with the URL of a database, as a sentence with a remedy; null when it can be used as far as that is
 * known here. `stored`: the masked URL that is stored, whose password goes to no other host, port or sslmode.
 */
export function databaseUrlFault(typed: string, stored: string | null = null): string | null {
  const text = typed.trim();
  if (text === stored) return null;
  if (text === '') return `Fill in the URL of your database: ${EXAMPLE}.`;
  if (/\s/u.test(text)) return 'A URL has no spaces: write %20 instead.';
  if (!/^postgres(?:ql)?:\/\//iu.test(text)) return 'The URL must begin with postgres://.';
  if (text.includes('#')) return 'Write %23 instead of #, in a password as well.';
  const url = URL.parse(text);
  if (url === null || url.hostname === '') {
    return `This is not the URL of a database. One looks like this: ${EXAMPLE}.`;
  }
  if (url.username === '') return `Put the user name before the host, as in ${EXAMPLE}.`;
  if (url.pathname.length < 2) return `Put the name of the database at the end, as in ${EXAMPLE}.`;
  if (isMasked(url) && (stored === null || placeIn(stored) !== placeIn(text))) {
    return 'Fill in the password again: the stored one is sent to no other host or port.';
  }
  return null;
}

/** The name that a source has unless it is given another one: its database and its host. */
export function nameIn(url: string): string {
  const parsed = URL.parse(url.trim());
  if (parsed === null || parsed.hostname === '' || parsed.pathname.length < 2) return '';
  return `${plain(parsed.pathname.slice(1))} at ${parsed.hostname}`;
}

function isMasked({ password }: URL): boolean {
  return plain(password) === MASK;
}

/** Where a password is sent, and how. */
function placeIn(text: string): string {
  const url = URL.parse(text);
  return JSON.stringify([url?.hostname, url?.port || '5432', url?.searchParams.get('sslmode')]);
}

function plain(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // it has a % that encodes nothing
  }
}
