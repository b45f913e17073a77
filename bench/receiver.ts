// A process: the endpoint that everything is sent to. It reads each body and answers 204; what it
// has counted is asked for under /_bench.
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { report } from './child.ts';
import { clockMs } from './clock.ts';
import { percentilesOf } from './percentiles.ts';
import type { Percentiles } from './percentiles.ts';

/** Since the last reset. */
export interface Received {
  total: number;
  bytes: number;
  /** On the machine's monotonic clock (`clockMs`); 0 before the first. */
  firstAt: number;
  lastAt: number;
  /** Append → received; null unless it is measured and asked for. */
  latency: Percentiles | null;
}

const SENT_AT = '"sent_at":';

let total = 0;
let bytes = 0;
let firstAt = 0;
let lastAt = 0;
let latencies: number[] | null = null;

const server = createServer((request, response) => {
  if (request.url?.startsWith('/_bench/') === true) return admin(request, response);
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    response.writeHead(204).end();
    take(chunks);
  });
});
server.keepAliveTimeout = 60_000; // longer than any sender's, so that it never closes under one
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  void report({ url: `http://127.0.0.1:${port}` });
});

function take(chunks: Buffer[]): void {
  const now = clockMs();
  total += 1;
  if (firstAt === 0) firstAt = now;
  lastAt = now;
  for (const chunk of chunks) bytes += chunk.length;
  if (latencies === null) return;
  const body = (chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)).toString();
  const from = body.indexOf(SENT_AT);
  if (from < 0) return;
  const sentAt = Number.parseFloat(body.slice(from + SENT_AT.length, from + SENT_AT.length + 20));
  latencies.push(now - sentAt);
}

/** `/_bench/reset` starts anew, `/_bench/received` answers `Received`; both take `?latency=1`. */
function admin(request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://receiver');
  request.resume();
  const withLatency = searchParams.has('latency');
  if (pathname === '/_bench/reset') reset(withLatency);
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(received(withLatency)));
}

function reset(measure: boolean): void {
  total = 0;
  bytes = 0;
  firstAt = 0;
  lastAt = 0;
  latencies = measure ? [] : null;
}

/** Percentiles only when they are asked for: sorting would disturb what is measured. */
function received(withLatency: boolean): Received {
  const latency = withLatency && latencies !== null ? percentilesOf(latencies) : null;
  return { total, bytes, firstAt, lastAt, latency };
}
