// A process that is the endpoint of all consumers. It reads each body and answers 204, except under /_poison,
// where it refuses some bodies, and under /_hang, where it stops answering. Under /_batches it counts the entries of
// each body. Its counts can be read under /_bench.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { percentilesOf, type Percentiles } from '../../test/support/percentiles.ts';
import { createHangingPaths, type Hanging } from '../hanging.ts';
import { report } from './child.ts';
import { clockMs } from './clock.ts';

/** What has been received since the last reset. */
export interface Received {
  /** How many entries came with requests that were answered with 204, without those under /_hang. */
  total: number;
  bytes: number;
  /** When the first and the last request came, by the machine's monotonic clock (`clockMs`); 0 before the first. */
  firstAt: number;
  lastAt: number;
  /** The times from append to receipt, ms; null unless they are measured and requested. */
  latency: Percentiles | null;
  /** How many different message ids those answered with 204 had; 0 unless ids are kept. */
  distinct: number;
  /** How many first deliveries came after a later one of their record; 0 unless ids are kept. */
  outOfOrder: number;
  /** How many connections are open. */
  connections: number;
  /** How many requests /_poison has refused. */
  refused: number;
  /** How many requests under /_apart were answered with 204, which are not counted anywhere else. */
  apart: number;
  /** How many requests there were under /_batches. */
  batches: number;
  /** The open requests under /_hang. */
  hanging: Hanging;
}

const SENT_AT = '"sent_at":';
/** The record of a body; the ids of records in a bench contain no quotes. */
const RECORD = /"upstream_id":"([^"]*)"/u;
/** What each event of a batch has once. */
const ENTRY = '"event_id":';
/** The text in a body for which /_poison refuses it. */
const POISONED = '"poisoned":true';

let total = 0;
let bytes = 0;
let firstAt = 0;
let lastAt = 0;
let latencies: number[] | null = null;
let connections = 0;
let refused = 0;
let apart = 0;
let batches = 0;
let ids: Set<string> | null = null;
let outOfOrder = 0;
let newest = new Map<string, number>(); // by consumer and record: the highest position that came
const hanging = createHangingPaths();

const server = createServer((request, response) => {
  if (request.url?.startsWith('/_') === true) return special(request, response);
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    response.writeHead(204).end();
    take(request, chunks, 1);
  });
});
server.keepAliveTimeout = 60_000; // longer than any sender’s, so it closes no connection in use
server.on('connection', (socket) => {
  connections += 1;
  socket.once('close', () => {
    connections -= 1;
  });
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  void report({ url: `http://127.0.0.1:${port}` });
});

function take(request: IncomingMessage, chunks: Buffer[], entries: number): void {
  const now = clockMs();
  total += entries;
  if (firstAt === 0) firstAt = now;
  lastAt = now;
  for (const chunk of chunks) bytes += chunk.length;
  if (ids !== null) note(request, joined(chunks).toString(), ids);
  if (latencies === null) return;
  const body = joined(chunks).toString();
  const from = body.indexOf(SENT_AT);
  if (from < 0) return;
  const sentAt = Number.parseFloat(body.slice(from + SENT_AT.length, from + SENT_AT.length + 20));
  latencies.push(now - sentAt);
}

function note({ headers }: IncomingMessage, body: string, known: Set<string>): void {
  const id = String(headers['webhook-id']);
  if (known.has(id)) return;
  known.add(id);
  const [, record = ''] = RECORD.exec(body) ?? [];
  const key = `${String(headers['millrace-consumer'])} ${record}`;
  const position = Number(headers['millrace-position']);
  const before = newest.get(key) ?? 0;
  if (position < before) outOfOrder += 1;
  newest.set(key, Math.max(before, position));
}

function joined(chunks: Buffer[]): Buffer {
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}

function special(request: IncomingMessage, response: ServerResponse): void {
  const path = request.url ?? '';
  if (path.startsWith('/_hang')) hanging.take(request, response);
  else if (path.startsWith('/_poison')) refuse(request, response);
  else if (path.startsWith('/_batches')) takeBatch(request, response);
  else if (path.startsWith('/_apart')) takeApart(request, response);
  else if (path.startsWith('/_fail')) answer(request, response, 503);
  else admin(request, response);
}

/** Reads the body, and answers with this status. */
function answer(request: IncomingMessage, response: ServerResponse, status: number): void {
  request.resume();
  request.on('end', () => response.writeHead(status).end());
}

function takeApart(request: IncomingMessage, response: ServerResponse): void {
  apart += 1;
  answer(request, response, 204);
}

function takeBatch(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    response.writeHead(204).end();
    batches += 1;
    take(request, chunks, entriesIn(joined(chunks)));
  });
}

function entriesIn(body: Buffer): number {
  let count = 0;
  for (let at = body.indexOf(ENTRY); at >= 0; at = body.indexOf(ENTRY, at + ENTRY.length))
    count += 1;
  return count;
}

/** Answers 400 to every poisoned body, and accepts the others. */
function refuse(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (joined(chunks).includes(POISONED)) {
      refused += 1;
      response.writeHead(400).end();
      return;
    }
    response.writeHead(204).end();
    take(request, chunks, 1);
  });
}

/** Accepts no connections for so long, and ends those that are open. */
function refuseAll(ms: number): void {
  const { port } = server.address() as AddressInfo;
  server.close();
  server.closeAllConnections();
  setTimeout(() => server.listen(port, '127.0.0.1'), ms);
}

/**
 * `/_bench/reset` sets all counts to zero, `/_bench/refuse` refuses connections for `?ms`, `/_bench/received`
 * answers `Received`; the first and the last take `?latency=1`, the first `ids=1` as well.
 */
function admin(request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://receiver');
  request.resume();
  const withLatency = searchParams.has('latency');
  if (pathname === '/_bench/reset') reset(withLatency, searchParams.has('ids'));
  if (pathname === '/_bench/refuse')
    response.once('close', () => refuseAll(Number(searchParams.get('ms'))));
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(received(withLatency)));
}

function reset(measure: boolean, keepIds: boolean): void {
  total = 0;
  bytes = 0;
  firstAt = 0;
  lastAt = 0;
  latencies = measure ? [] : null;
  refused = 0;
  apart = 0;
  batches = 0;
  ids = keepIds ? new Set() : null;
  outOfOrder = 0;
  newest = new Map();
  hanging.reset();
}

/** Computes percentiles only on request, because sorting would disturb the measurement. */
function received(withLatency: boolean): Received {
  const latency = withLatency && latencies !== null ? percentilesOf(latencies) : null;
  const distinct = ids?.size ?? 0;
  return {
    total,
    bytes,
    firstAt,
    lastAt,
    latency,
    distinct,
    outOfOrder,
    connections,
    refused,
    apart,
    batches,
    hanging: hanging.read(),
  };
}
