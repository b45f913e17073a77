import type { Duplex } from 'node:stream';

import type { OpenSocket } from './sourceConfig.ts';

/** The SSLRequest of the protocol: its length, and a number in place of a version. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
const YES = 'S';
const NO = 'N';

/** What answered does not speak the protocol of Postgres. */
export class NotPostgres extends Error {
  override name = 'NotPostgres';
}

/** Asks a server whether it offers TLS, over a connection of its own. Rejects with why it can't be asked. */
export async function offersTls(
  openSocket: OpenSocket,
  { host, port, withinMs }: { host: string; port: number; withinMs: number },
): Promise<boolean> {
  const socket = openSocket() as Duplex & { connect(port: number, host: string): void };
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  socket.on('error', reject);
  socket.once('close', () => reject(new Error('Connection terminated unexpectedly')));
  socket.once('connect', () => socket.write(SSL_REQUEST));
  socket.once('data', (answer: Buffer) => resolve(answer.toString('latin1', 0, 1)));
  const late = setTimeout(() => socket.destroy(new Error('timeout expired')), withinMs);
  try {
    socket.connect(port, host);
    const answer = await promise;
    if (answer === YES || answer === NO) return answer === YES;
    throw new NotPostgres('The server does not speak the protocol of Postgres');
  } finally {
    clearTimeout(late);
    socket.destroy();
  }
}
