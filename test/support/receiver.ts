import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  at: number;
  /** The sender's port: which connection it came by. */
  port: number;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  id: string;
  position: number;
  attempt: number;
  /** What it was answered with; 0 until then. */
  status: number;
}

/** Answers a delivery; the default is 204. */
export type Respond = (received: Received, response: ServerResponse) => void;

export interface TestReceiver extends AsyncDisposable {
  url: string;
  /** Deliveries in the order they came in. */
  received: Received[];
  /** What it answers from now on. */
  respond: Respond;
  /** Most requests that were open at once. */
  mostOpen: number;
}

/** A real HTTP endpoint on a free port, unless one is given, that keeps what it is sent. */
export async function openReceiver(respond: Respond = accept, at = 0): Promise<TestReceiver> {
  const received: Received[] = [];
  let open = 0;
  const server = createServer((request, response) => {
    open += 1;
    receiver.mostOpen = Math.max(receiver.mostOpen, open);
    response.once('close', () => {
      open -= 1;
    });
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { headers } = request;
      const one = {
        at: performance.now(),
        port: request.socket.remotePort ?? 0,
        path: request.url ?? '',
        headers,
        body: Buffer.concat(chunks).toString('utf8'),
        id: String(headers['webhook-id']),
        position: Number(headers['millrace-position']),
        attempt: Number(headers['millrace-attempt']),
        status: 0,
      };
      received.push(one);
      receiver.respond(one, response);
      one.status = response.headersSent ? response.statusCode : 0;
    });
  });
  server.listen(at, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const receiver: TestReceiver = {
    url: `http://127.0.0.1:${port}/hook`,
    received,
    respond,
    mostOpen: 0,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return receiver;
}

export function accept(_received: Received, response: ServerResponse): void {
  response.writeHead(204).end();
}

/** Answers with a status, and headers if given. */
export function answer(status: number, headers: Record<string, string> = {}): Respond {
  return (_received, response) => void response.writeHead(status, headers).end('no');
}
