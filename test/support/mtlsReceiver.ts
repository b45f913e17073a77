import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';

import type { Certificate } from './certificate.ts';

/** A webhook, and who sent it. */
export interface SentBy {
  /** The common name of the client certificate. */
  name: string;
  /** The sender's port: which connection it came by. */
  port: number;
  position: number;
  body: string;
}

/** An endpoint that takes webhooks only from those that have a certificate of an authority. */
export interface MtlsReceiver extends AsyncDisposable {
  port: number;
  received: SentBy[];
}

/** Listens on loopback. Whom it does not trust it cuts off without a word. */
export async function openMtlsReceiver(own: Certificate, authority: string): Promise<MtlsReceiver> {
  const received: SentBy[] = [];
  const { key, cert } = own;
  const options = { key, cert, ca: authority, requestCert: true, rejectUnauthorized: true };
  const server = createServer(options, (request, response) => {
    const socket = request.socket as TLSSocket;
    const name = String(socket.getPeerCertificate().subject.CN);
    const position = Number(request.headers['millrace-position']);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      received.push({ name, port: socket.remotePort ?? 0, position, body });
      response.writeHead(204).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    received,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
