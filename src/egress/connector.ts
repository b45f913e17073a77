import { ADDRCONFIG, type LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { createSecureContext } from 'node:tls';
import { callbackify } from 'node:util';

import { buildConnector } from 'undici';

import type { MayReach } from './addresses.ts';

/** Looks up all addresses of a host name; rejects with the system's error when there is none. */
export type Resolve = (hostname: string) => Promise<LookupAddress[]>;

/** An address is neither public nor allowed. The message does not reveal what was looked up. */
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

/** TLS options: always verified, against the public authorities, or against those in `ca` (PEM) alone. */
export function tlsOf(ca: string | null): { rejectUnauthorized: true } {
  return {
    rejectUnauthorized: true, // overrides NODE_TLS_REJECT_UNAUTHORIZED
    ...(ca === null ? {} : { secureContext: createSecureContext({ ca }) }),
  };
}

/** Connects only to the addresses that were looked up and checked, so DNS rebinding is harmless. */
export function guardedConnector(options: {
  port: number;
  mayReach: MayReach;
  resolve: Resolve;
  ca: string | null;
  timeoutMs: number;
}): buildConnector.connector {
  const { port, mayReach, resolve } = options;
  const check = callbackify(async (hostname: string): Promise<LookupAddress[]> => {
    const found = await resolve(hostname);
    if (found.length === 0) throw notFound(hostname);
    if (found.every(({ address }) => mayReach(address, port))) return found;
    throw new AddressRefused('an address of the host may not be reached');
  });
  const lookUp: LookupFunction = (hostname, { all }, callback) =>
    check(hostname, (error, found) => {
      if (error !== null) callback(error, []);
      else if (all === true) callback(null, found);
      else callback(null, found[0]!.address, found[0]!.family);
    });
  return buildConnector({
    ...tlsOf(options.ca),
    allowH2: false,
    timeout: options.timeoutMs,
    lookup: lookUp,
  });
}

/** Refuses every connection. */
export function refusingConnector(why: string): buildConnector.connector {
  return (_options, callback) => {
    queueMicrotask(() => callback(new AddressRefused(why), null));
  };
}

function notFound(hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' });
}
