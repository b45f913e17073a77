import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One delivery that was answered 2xx. */
export interface Taken {
  id: string;
  position: number;
  record: string;
  /** When, monotonic ms. */
  at: number;
}

/** An endpoint that misbehaves by chance, and a list of what it took nevertheless. */
export interface Unruly extends AsyncDisposable {
  url: string;
  /** In the order they were answered. */
  taken: Taken[];
  /** How often it did what. */
  counts: Record<string, number>;
  /** Nobody listens from now on: connections are refused, open ones are cut. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  /** From now on everything but what is poisoned is taken. */
  behave(): void;
}

/** What happens to a request, and how often in 10,000. */
const MISDEEDS: [name: string, often: number, act: (response: ServerResponse) => void][] = [
  ['500', 50, (response) => void response.writeHead(500).end('oops')],
  ['503', 3, (response) => void response.writeHead(503).end()],
  ['429', 2, (response) => void response.writeHead(429, { 'retry-after': '1' }).end()],
  ['429 without Retry-After', 1, (response) => void response.writeHead(429).end()],
  ['reset', 3, (response) => void response.socket?.resetAndDestroy()],
  ['hang', 1, () => undefined],
];

export async function openUnruly(options: {
  /** Between 0 and 1. */
  random: () => number;
  isPoisoned: (record: string) => boolean;
}): Promise<Unruly> {
  const taken: Taken[] = [];
  const counts: Record<string, number> = {};
  let behaves = false;
  let port = 0;
  let server: Server | null = null;

  function count(name: string): void {
    counts[name] = (counts[name] ?? 0) + 1;
  }

  function answer(one: Taken, response: ServerResponse): void {
    if (options.isPoisoned(one.record)) {
      count('400');
      response.writeHead(400).end('no such record');
      return;
    }
    let draw = behaves ? 10_000 : options.random() * 10_000;
    for (const [name, often, act] of MISDEEDS) {
      draw -= often;
      if (draw >= 0) continue;
      count(name);
      act(response);
      return;
    }
    taken.push(one);
    response.writeHead(204).end();
  }

  async function comeBack(): Promise<void> {
    if (server !== null) return;
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { headers } = request;
        const record = /"upstream_id":"([^"]*)"/u.exec(Buffer.concat(chunks).toString())?.[1];
        const id = String(headers['webhook-id']);
        const position = Number(headers['millrace-position']);
        answer({ id, position, record: record ?? '', at: performance.now() }, response);
      });
    });
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  }

  async function goAway(): Promise<void> {
    if (server === null) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    server = null;
    count('away');
    await closed;
  }

  await comeBack();
  return {
    url: `http://127.0.0.1:${port}/hook`,
    taken,
    counts,
    goAway,
    comeBack,
    behave: () => {
      behaves = true;
    },
    [Symbol.asyncDispose]: goAway,
  };
}
