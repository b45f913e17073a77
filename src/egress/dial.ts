import type { LookupAddress } from 'node:dns';
import { connect, type Socket } from 'node:net';

/** How long an address is tried alone before the next one is tried beside it (RFC 8305 §8). */
const HEAD_START_MS = 250;

export interface DialOptions {
  /** Not empty. */
  addresses: readonly LookupAddress[];
  port: number;
  /** The timeout for all addresses together. */
  timeoutMs: number;
}

/**
 * Opens a TCP connection to the first of these addresses that accepts one (RFC 8305): the next address is tried
 * once the last one has failed or has had a head start, while earlier ones stay open. Rejects once each of them
 * has failed, with one error or an `AggregateError`, or with `ETIMEDOUT` when time is up.
 */
export function dial(options: DialOptions): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const waiting = interleaved(options.addresses);
  const open = new Set<Socket>();
  const errors: Error[] = [];
  let next: NodeJS.Timeout | undefined;
  const last = setTimeout(() => {
    stop();
    reject(Object.assign(new Error('connecting took too long'), { code: 'ETIMEDOUT' }));
  }, options.timeoutMs);
  tryNext();
  return promise;

  function tryNext(): void {
    clearTimeout(next);
    const address = waiting.shift();
    if (address === undefined) {
      if (open.size === 0) fail();
      return;
    }
    const socket = connect({ ...TCP, host: address.address, port: options.port });
    open.add(socket);
    socket.once('connect', () => win(socket));
    socket.on('error', (error) => {
      if (!open.delete(socket)) return; // it was used or given up
      errors.push(error);
      tryNext();
    });
    if (waiting.length > 0) next = setTimeout(tryNext, HEAD_START_MS);
  }

  function win(socket: Socket): void {
    if (!open.delete(socket)) return;
    stop();
    resolve(socket);
  }

  function fail(): void {
    stop();
    reject(errors.length === 1 ? errors[0]! : new AggregateError(errors));
  }

  function stop(): void {
    clearTimeout(next);
    clearTimeout(last);
    waiting.length = 0;
    for (const socket of open) {
      open.delete(socket);
      socket.destroy();
    }
  }
}

const TCP = {
  noDelay: true,
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
  highWaterMark: 65_536,
} as const;

/** The addresses in their order, alternating between the two families (RFC 8305 §4). */
function interleaved(addresses: readonly LookupAddress[]): LookupAddress[] {
  const family = addresses[0]?.family;
  const first = addresses.filter((one) => one.family === family);
  const second = addresses.filter((one) => one.family !== family);
  return first
    .flatMap((one, at) => {
      const other = second[at];
      return other === undefined ? [one] : [one, other];
    })
    .concat(second.slice(first.length));
}
