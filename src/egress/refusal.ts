import { isIP } from 'node:net';

import { isRuledOut, type MayReach } from './addresses.ts';

const WHY = ' is not a public address and port that webhooks may be sent to (MILLRACE_ALLOW_CIDRS)';

/** Says why a URL is refused, judged by its text alone; null when its text does not rule it out. */
export function createRefusal(mayReach: MayReach): (url: string) => string | null {
  return (url) => {
    const { hostname, port } = placeOf(url);
    if (!isRuledOut(mayReach, hostname, port)) return null;
    return `${isIP(hostname) === 0 ? hostname : `${hostname}:${port}`}${WHY}`;
  };
}

/** The host of a URL, an IPv6 address without its brackets, and the port that it names or that its scheme has. */
export function placeOf(text: string): { hostname: string; port: number } {
  const { hostname, port, protocol } = new URL(text);
  return {
    hostname: hostname.replace(/^\[|\]$/gu, ''),
    port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
  };
}
