// what a socket to a database that a user has named may reach
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { createDatabaseSockets } from '../../src/egress/databaseSocket.ts';
import { LOOPBACK } from '../support/app.ts';
import { openCanary, type Canary } from '../support/canary.ts';

let canary: Canary;
beforeAll(async () => {
  canary = await openCanary();
});
afterAll(() => canary[Symbol.asyncDispose]());

/** Connects to a host whose name is at these addresses; returns the code of the error, or null once connected. */
async function reach(
  host: string,
  options: { addresses?: string[]; allowCidrs?: string[]; port?: number } = {},
): Promise<string | null> {
  const { addresses = [], allowCidrs = [], port = canary.port } = options;
  const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  const sockets = createDatabaseSockets({ allowCidrs, resolve: () => Promise.resolve(found) });
  const socket = sockets.open();
  try {
    await once(socket.connect(port, host), 'connect');
    return null;
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    socket.destroy();
  }
}

test.each(['127.0.0.1', '::1', '0.0.0.0', '::ffff:127.0.0.1', '10.0.0.1', '169.254.169.254'])(
  'an address that is not public is not connected to: %s',
  async (address) => {
    canary.reached.length = 0;
    expect(await reach(address)).toBe('ADDRESS_REFUSED');
    expect(await reach('db.example.com', { addresses: [address] })).toBe('ADDRESS_REFUSED');
    expect(canary.reached).toEqual([]);
  },
);

test('a name is refused when one of its addresses is, whichever comes first', async () => {
  const mixed = ['93.184.216.34', '127.0.0.1'];
  for (const addresses of [mixed, mixed.toReversed()]) {
    expect(await reach('db.example.com', { addresses })).toBe('ADDRESS_REFUSED');
  }
});

test('the names of this machine, and ports of other protocols, are refused by their text', async () => {
  const sockets = createDatabaseSockets({ allowCidrs: [] });
  for (const host of ['localhost', 'LOCALHOST', 'db.localhost', '127.0.0.1', '::1']) {
    expect(sockets.refusal(host, 5432), host).toContain('MILLRACE_ALLOW_CIDRS');
  }
  expect(sockets.refusal('93.184.216.34', 22)).toContain('93.184.216.34:22');
  expect(sockets.refusal('93.184.216.34', 5432)).toBeNull();
  expect(sockets.refusal('db.example.com', 5432)).toBeNull();
});

test('a socket of the file system is refused', async () => {
  const socket = createDatabaseSockets({ allowCidrs: LOOPBACK }).open();
  const connect = socket.connect as (path: string) => unknown;
  await expect(once(connect('/var/run/postgresql') as never, 'connect')).rejects.toMatchObject({
    code: 'ADDRESS_REFUSED',
  });
});

test('an allowed address is connected to, and another one of the name when the first refuses', async () => {
  expect(await reach('127.0.0.1', { allowCidrs: LOOPBACK })).toBeNull();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const addresses = ['::1', '127.0.0.1'];
  expect(await reach('db.example.com', { addresses, allowCidrs: LOOPBACK, port })).toBeNull();
  server.close();
});

test('a name without an address, and one that can not be looked up, say so', async () => {
  expect(await reach('db.example.com', { addresses: [] })).toBe('ENOTFOUND');
  const lost = Object.assign(new Error('getaddrinfo EAI_AGAIN'), { code: 'EAI_AGAIN' });
  const sockets = createDatabaseSockets({ allowCidrs: [], resolve: () => Promise.reject(lost) });
  const socket = sockets.open();
  await expect(once(socket.connect(5432, 'db.example.com'), 'connect')).rejects.toBe(lost);
});
