import { lengthFault } from '../faults.ts';

const EXAMPLE = 'https://example.com/hook';
const MOST_PORT = 65_535;

/** What is wrong with the URL of an endpoint, as a sentence with a remedy; null when it can be used as far as that is known here. */
export function urlFault(typed: string): string | null {
  const text = typed.trim();
  if (text === '') return `Fill in the URL of your endpoint, for example ${EXAMPLE}.`;
  const [, scheme, rest = ''] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/isu.exec(text) ?? [];
  const [host = ''] = rest.split(/[/?#]/u);
  if (/\s/u.test(host)) return 'The host must not contain a space.';
  if (/\s/u.test(rest)) return 'A URL has no spaces: write %20 instead.';
  if (scheme === undefined) return `Write ${withScheme(rest.replace(/^https?:\/?/iu, ''))}.`;
  if (!/^https?$/iu.test(scheme)) return 'The URL must begin with http:// or https://.';
  const port = Number(/:(\d+)$/u.exec(host)?.[1] ?? 1);
  if (port > MOST_PORT) return `A port is at most ${MOST_PORT}.`;
  if (port === 0) return 'The URL must not have port 0.';
  if (host.includes('@')) {
    return 'Leave the user name and the password out of the URL: credentials have fields of their own.';
  }
  if (rest.includes('#')) return 'The URL must not contain #: endpoints never get what follows it.';
  if (!URL.canParse(text)) return `This is not a URL. One looks like this: ${EXAMPLE}.`;
  return lengthFault('The URL', text, 2048);
}

/** What runs on this machine seldom speaks TLS, and everything else should. */
function withScheme(rest: string): string {
  return /^(?:localhost|127\.|\[?::1)/iu.test(rest) ? `http://${rest}` : `https://${rest}`;
}
