import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';

import type { Certificate } from './certificate.ts';

/** A Postgres that takes TLS: what comes encrypted here goes in clear to another one. */
export interface TlsFront extends AsyncDisposable {
  port: number;
  /** How many sessions were encrypted. */
  sessions: number;
}

const SSL_REQUEST = 80_877_103;

/** Listens on loopback. */
export async function openTlsFront(postgresPort: number, own: Certificate): Promise<TlsFront> {
  const secureContext = createSecureContext(own);
  const sockets = new Set<Socket>();
  const front = { port: 0, sessions: 0 };

  async function serve(socket: Socket): Promise<void> {
    sockets.add(socket);
    socket.on('error', () => undefined); // a client that does not trust it goes away
    const [request] = (await once(socket, 'data')) as [Buffer];
    const behind = connect(postgresPort, '127.0.0.1');
    sockets.add(behind);
    behind.on('error', () => undefined);
    if (request.readUInt32BE(4) !== SSL_REQUEST) {
      behind.write(request);
      socket.pipe(behind).pipe(socket);
      return;
    }
    socket.write('S');
    const encrypted = new TLSSocket(socket, { isServer: true, secureContext });
    encrypted.on('error', () => undefined);
    encrypted.on('secure', () => (front.sessions += 1));
    encrypted.pipe(behind).pipe(encrypted);
  }

  const server = createServer((socket) => void serve(socket).catch(() => socket.destroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  front.port = (server.address() as AddressInfo).port;
  return Object.assign(front, {
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  });
}
