import type { LookupAddress } from 'node:dns';
import { isIP, type Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { callbackify } from 'node:util';

import { buildConnector } from 'undici';

import type { ClientCertificateInput } from '../schema/clientCertificate.ts';
import type { MayReach } from './addresses.ts';
import { dial } from './dial.ts';
import type { Opening } from './opening.ts';
import { AddressRefused, notFound, type Resolve } from './resolver.ts';

/** Whom to trust, and what to show to a server that asks who is there. */
export interface TlsOptions {
  /** PEM certificates of the authorities to trust instead of the public ones. */
  ca: string | null;
  clientCertificate: ClientCertificateInput | null;
}

/** TLS options: always verified, against the public authorities, or against those in `ca` alone. */
function tlsOf({ ca, clientCertificate }: TlsOptions): { rejectUnauthorized: true } {
  const own =
    clientCertificate === null
      ? {}
      : { cert: clientCertificate.certificate, key: clientCertificate.key };
  const isPlain = ca === null && clientCertificate === null;
  return {
    rejectUnauthorized: true, // overrides NODE_TLS_REJECT_UNAUTHORIZED
    ...(isPlain
      ? {}
      : { secureContext: createSecureContext({ ...own, ...(ca === null ? {} : { ca }) }) }),
  };
}

/**
 * Connects only to the addresses that were looked up and checked, so DNS rebinding is harmless. The
 * timeout is for the connection and the TLS handshake each.
 */
export function guardedConnector(
  options: TlsOptions & {
    port: number;
    mayReach: MayReach;
    resolve: Resolve;
    timeoutMs: number;
  },
): Connect {
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
export function secureConnector(
  options: TlsOptions & { timeoutMs: number },
): (to: Place, socket: Socket) => Promise<Socket> {
  const { timeoutMs: timeout } = options;
  const connect = buildConnector({ ...tlsOf(options), allowH2: false, timeout });
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
