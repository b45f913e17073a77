import { ADDRCONFIG, type LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { isIP, type Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { callbackify } from 'node:util';

import { buildConnector } from 'undici';

import type { MayReach } from './addresses.ts';
import { dial } from './dial.ts';
import type { Opening } from './opening.ts';

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

/** TLS options: always verified, against the public authorities, or against those in `ca` (PEM) alone. */
function tlsOf(ca: string | null): { rejectUnauthorized: true } {
  return {
    rejectUnauthorized: true, // overrides NODE_TLS_REJECT_UNAUTHORIZED
    ...(ca === null ? {} : { secureContext: createSecureContext({ ca }) }),
  };
}

/**
 * Connects only to the addresses that were looked up and checked, so DNS rebinding is harmless. The
 * timeout is for the connection and the TLS handshake each.
 */
export function guardedConnector(options: {
  port: number;
  mayReach: MayReach;
  resolve: Resolve;
  ca: string | null;
  timeoutMs: number;
}): Connect {
  const { port, mayReach, resolve, timeoutMs } = options;
  const secure = secureConnector(options);

  async function addressesOf(hostname: string, opening: Opening): Promise<LookupAddress[]> {
    const family = isIP(hostname);
    const found = family === 0 ? await resolve(hostname) : [{ address: hostname, family }];
    opening.lookedUpAt = family === 0 ? performance.now() : opening.begunAt;
    if (found.length === 0) throw notFound(hostname);
    if (found.every(({ address }) => mayReach(address, port))) return found;
    throw new AddressRefused('an address of the host is not allowed');
  }

  return connectorOf(async (to, opening) => {
    const addresses = await addressesOf(to.hostname, opening);
    const socket = await dial({ addresses, port, timeoutMs });
    opening.connectedAt = performance.now();
    return to.protocol === 'https:' ? secure(to, socket) : socket;
  });
}

/** The destination of a connection, in the form that undici uses. */
export type Place = buildConnector.Options;

/** Opens a connection, and notes in `opening` when each step was done. */
export type Connect = (to: Place, callback: buildConnector.Callback, opening: Opening) => void;

/** The connector that opens connections in this way. */
export function connectorOf(open: (to: Place, opening: Opening) => Promise<Socket>): Connect {
  const call = callbackify(open);
  return (to, callback, opening) =>
    call(to, opening, (error, socket) => {
      if (error === null) callback(null, socket);
      else callback(error, null);
    });
}

/** Opens TLS on an open connection. */
export function secureConnector(options: {
  ca: string | null;
  timeoutMs: number;
}): (to: Place, socket: Socket) => Promise<Socket> {
  const { ca, timeoutMs: timeout } = options;
  const connect = buildConnector({ ...tlsOf(ca), allowH2: false, timeout });
  return (to, httpSocket) =>
    new Promise((resolve, reject) => {
      connect({ ...to, httpSocket }, (...[error, socket]) => {
        if (error === null) resolve(socket);
        else reject(error);
      });
    });
}

/** Refuses every connection. */
export function refusingConnector(why: string): Connect {
  return (_options, callback) => {
    queueMicrotask(() => callback(new AddressRefused(why), null));
  };
}

/** The error of a look-up that finds nothing. */
export function notFound(hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' });
}
