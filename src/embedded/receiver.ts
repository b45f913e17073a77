import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { Webhook } from 'standardwebhooks';
import { z } from 'zod';

import { isSecretHeader } from '../schema/secretHeader.ts';
import type { Received, Counts, SignatureVerdict } from './received.ts';
import { receiverPage } from './receiverPage.ts';
import { choosePort, readState, writeState } from './state.ts';

/** The development receiver, which runs until it is closed. */
export interface Receiver extends AsyncDisposable {
  /** The `base_url` for a target. */
  url: string;
  /** The page that shows what was received. */
  pageUrl: string;
  /** The last 200 webhooks, the newest first. */
  deliveries(): Received[];
  counts(): Counts;
  close(): Promise<void>;
}

/** Where the receiver gets its secrets and its port. */
export interface ReceiverOptions {
  /** Returns all signing secrets in use; called every few seconds at most, or when no known one fits. */
  secrets: () => Promise<string[]>;
  /** Where the port is kept, so that existing targets still reach it. Without it, any free port is used. */
  dataDir?: string;
}

const KEPT = 200;
const SHOWN_CHARACTERS = 2_000;
const MAX_BODY = 4 * 1024 * 1024;
const State = z.object({ port: z.int() });

/**
 * Starts an endpoint on loopback that verifies each webhook as a customer's endpoint would. It answers
 * 200, or 401 when no secret fits, and shows the last 200 webhooks at `/` and as JSON at `/deliveries`.
 */
export async function createReceiver(options: ReceiverOptions): Promise<Receiver> {
  const received: Received[] = [];
  const counts: Counts = { verified: 0, refused: 0, unknown: 0 };
  const verify = createVerifier(options.secrets);
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy()); // aborted, or larger than any webhook
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!isLocal(request.headers.host)) return answer(response, 421, 'text/plain', 'not this host');
    const [path = '/', query] = (request.url ?? '/').split('?');
    if (request.method === 'POST' && /^\/hook(\/|$)/u.test(path)) return receive(request, response);
    if (request.method !== 'GET') return answer(response, 405, 'text/plain', 'POST /hook');
    if (path === '/') {
      const page = receiverPage(received, counts, { reloads: query !== 'still' });
      return answer(response, 200, 'text/html', page);
    }
    if (path === '/deliveries') {
      const text = JSON.stringify({ counts, deliveries: received });
      return answer(response, 200, 'application/json', text);
    }
    return answer(response, 404, 'text/plain', 'POST /hook, GET / or GET /deliveries');
  }

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request);
    const verdict = await verify(request.headers, body);
    counts[verdict] += 1;
    received.unshift(toReceived(request.headers, body, verdict));
    if (received.length > KEPT) received.pop();
    const text = verdict === 'refused' ? 'no signing secret matches' : 'ok';
    answer(response, verdict === 'refused' ? 401 : 200, 'text/plain', text);
  }

  const port = await listen(server, options.dataDir);
  async function close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    server.close(() => resolve());
    server.closeAllConnections();
    await promise;
  }
  return {
    url: `http://127.0.0.1:${port}/hook`,
    pageUrl: `http://127.0.0.1:${port}/`,
    deliveries: () => received,
    counts: () => counts,
    close,
    [Symbol.asyncDispose]: close,
  };
}

const FRESH_MS = 5_000;
/**
 * When no secret fits, the secrets are read again, because a target may be new; but no sooner than after this
 * time.
 */
const READ_AGAIN_MS = 250;

/** Tries the secret that last fitted the consumer, then all; reads them again before it refuses. */
function createVerifier(
  read: () => Promise<string[]>,
): (headers: IncomingHttpHeaders, body: Buffer) => Promise<SignatureVerdict> {
  let known = new Map<string, Webhook>();
  let readAt = -Infinity;
  let reading: Promise<void> | null = null;
  const fitted = new Map<string, string>();

  async function refresh(): Promise<void> {
    try {
      const secrets = await read();
      known = new Map(
        secrets.map((secret) => [secret, known.get(secret) ?? new Webhook(secret)] as const),
      );
    } catch {
      // Postgres is away: the known secrets stay in use
    } finally {
      readAt = performance.now();
      reading = null;
    }
  }

  function fits(headers: IncomingHttpHeaders, body: Buffer): boolean {
    const consumer = String(headers['millrace-consumer']);
    const likely = fitted.get(consumer);
    const secrets = [...(likely === undefined ? [] : [likely]), ...known.keys()];
    for (const secret of secrets) {
      if (!isSigned(known.get(secret), headers, body)) continue;
      fitted.set(consumer, secret);
      return true;
    }
    return false;
  }

  return async (headers, body) => {
    if (performance.now() - readAt > FRESH_MS) await (reading ??= refresh());
    if (fits(headers, body)) return 'verified';
    if (performance.now() - readAt > READ_AGAIN_MS) {
      await (reading ??= refresh());
      if (fits(headers, body)) return 'verified';
    }
    return known.size === 0 ? 'unknown' : 'refused';
  };
}

function isSigned(
  webhook: Webhook | undefined,
  headers: IncomingHttpHeaders,
  body: Buffer,
): boolean {
  try {
    webhook?.verify(body, headers as Record<string, string>, { jsonParse: false });
    return webhook !== undefined;
  } catch {
    return false; // another secret, an old timestamp or no signature at all
  }
}

function toReceived(
  headers: IncomingHttpHeaders,
  body: Buffer,
  verdict: SignatureVerdict,
): Received {
  const text = (name: string): string | null => {
    const value = headers[name];
    return typeof value === 'string' ? value : null;
  };
  const number = (name: string): number | null => (text(name) === null ? null : Number(text(name)));
  return {
    at: new Date().toISOString(),
    verdict,
    webhook_id: text('webhook-id'),
    consumer: text('millrace-consumer'),
    position: number('millrace-position'),
    attempt: number('millrace-attempt'),
    bytes: body.length,
    headers: shownHeaders(headers),
    body: body.toString('utf8', 0, SHOWN_CHARACTERS * 4).slice(0, SHOWN_CHARACTERS),
  };
}

/** The headers as they are shown: nobody has to read credentials here. */
function shownHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const shown = Object.entries(headers).map(([name, value = '']) => [
    name,
    isSecretHeader(name) ? '••••' : String(value),
  ]);
  return Object.fromEntries(shown) as Record<string, string>;
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new Error(`more than ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A web page that makes its name resolve to loopback must not read what was received. */
function isLocal(host: string | undefined): boolean {
  return /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/u.test(host ?? '');
}

function answer(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, {
    'content-type': `${type}; charset=utf-8`,
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  });
  response.end(text);
}

async function listen(
  server: ReturnType<typeof createServer>,
  dataDir: string | undefined,
): Promise<number> {
  const file = dataDir === undefined ? null : join(dataDir, 'receiver.json');
  const kept = file === null ? null : await readState(file, State);
  const wanted = file === null ? 0 : await choosePort(kept?.port);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(wanted, '127.0.0.1', resolve);
  await promise;
  const { port } = server.address() as AddressInfo;
  if (file !== null && port !== kept?.port) await writeState(file, { port });
  return port;
}
