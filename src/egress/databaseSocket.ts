import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction, Socket, type TcpSocketConnectOpts } from 'node:net';
import { callbackify } from 'node:util';

import { createMayReach, isRuledOut } from './addresses.ts';
import { AddressRefused, notFound, systemResolver, type Resolve } from './resolver.ts';

/** The guard of connections to databases that users name: they reach public and allowed addresses, nothing else. */
export interface DatabaseSockets {
  /** Why this host and port are refused, judged by their text alone; null when it does not rule them out. */
  refusal(host: string, port: number): string | null;
  /**
   * Creates a socket whose `connect(port, host)` looks the host up and connects only if each of its addresses may be
   * reached, so DNS rebinding is harmless; otherwise it fails with `AddressRefused`. A proxy is not used. How long
   * connecting may take is for the caller to say.
   */
  open(): Socket;
}

type ConnectTo = (options: TcpSocketConnectOpts) => Socket;

/** How long an address is tried before the next one, ms: a database is far away at times, and rarely has many. */
const ATTEMPT_MS = 2_500;

/** Create it once per process. Nothing is looked up before a socket connects. */
export function createDatabaseSockets(options: {
  /** Ranges that may be reached although they are not public. */
  allowCidrs: readonly string[];
  /** The system's resolver by default. */
  resolve?: Resolve;
}): DatabaseSockets {
  const { resolve = systemResolver() } = options;
  const mayReach = createMayReach(options.allowCidrs);

  async function addressesOf(hostname: string, port: number): Promise<LookupAddress[]> {
    const found = await resolve(hostname);
    if (found.length === 0) throw notFound(hostname);
    if (found.every(({ address }) => mayReach(address, port))) return found;
    throw refused();
  }

  function lookupFor(port: number): LookupFunction {
    const find = callbackify((hostname: string) => addressesOf(hostname, port));
    return (hostname, _options, done) =>
      find(hostname, (error, found) => done(error, error === null ? found : []));
  }

  return {
    refusal: (host, port) => {
      if (!isRuledOut(mayReach, host, port)) return null;
      const place = isIP(host) === 0 ? host : `${host}:${port}`;
      return `${place} is not a public address and port, nor one that MILLRACE_ALLOW_CIDRS names`;
    },
    open: () => {
      const socket = new Socket();
      const connect = socket.connect.bind(socket) as unknown as ConnectTo; // of its overloads this one
      return Object.assign(socket, {
        connect: (port: number, host?: string): Socket => {
          // Without a host it would be a socket of this machine's file system.
          if (host === undefined || isRuledOut(mayReach, host, port)) {
            return socket.destroy(refused());
          }
          return connect({
            port,
            host,
            lookup: lookupFor(port),
            autoSelectFamily: true,
            autoSelectFamilyAttemptTimeout: ATTEMPT_MS,
          });
        },
      });
    },
  };
}

function refused(): AddressRefused {
  return new AddressRefused('an address of the host is not allowed');
}
