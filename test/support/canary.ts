import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Something on this machine that no webhook may reach, on every address of it. */
export interface Canary extends AsyncDisposable {
  port: number;
  /** The addresses at which it was connected to, whether or not a request followed. */
  reached: string[];
  /** Paths of the requests it got. */
  paths: string[];
  /** Where it sends everybody; null: it answers 200. */
  redirect: string | null;
}

export async function openCanary(): Promise<Canary> {
  const server = createServer((request, response) => {
    canary.paths.push(request.url ?? '');
    request.resume();
    if (canary.redirect === null) response.writeHead(200).end('the canary');
    else response.writeHead(307, { location: canary.redirect }).end();
  });
  server.on('connection', (socket) => {
    canary.reached.push((socket.localAddress ?? '').replace('::ffff:', ''));
  });
  server.listen(0); // every address, IPv6 where there is any
  await once(server, 'listening');
  const canary: Canary = {
    port: (server.address() as AddressInfo).port,
    reached: [],
    paths: [],
    redirect: null,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return canary;
}
