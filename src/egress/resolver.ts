import { ADDRCONFIG, type LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';

/** Looks up all addresses of a host name; rejects with the system's error when there is none. */
export type Resolve = (hostname: string) => Promise<LookupAddress[]>;

/** An address is neither public nor allowed. The message does not reveal the result of the look-up. */
export class AddressRefused extends Error {
  override name = 'AddressRefused';
  readonly code = 'ADDRESS_REFUSED';
}

/** The system's resolver, with one lookup at a time per name, so that a slow name occupies one thread. */
export function systemResolver(): Resolve {
  const lookups = new Map<string, Promise<LookupAddress[]>>();
  return (hostname) => {
    const open = lookups.get(hostname);
    if (open !== undefined) return open;
    const answer = lookup(hostname, { all: true, hints: ADDRCONFIG }).finally(() =>
      lookups.delete(hostname),
    );
    lookups.set(hostname, answer);
    return answer;
  };
}

/** The error of a look-up that finds nothing. */
export function notFound(hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' });
}
