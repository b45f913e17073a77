import { once } from 'node:events';
import type { Server, ServerOptions } from 'node:http';

import { createAdaptorServer } from '@hono/node-server';

import { answerClientErrors, MAX_HEADER_BYTES } from './clientErrors.ts';

/**
 * NDJSON of any length takes its time (other bodies are timed where they are read); a load balancer in front
 * may keep connections for a minute. Headers have ten seconds and 16 KiB.
 */
const OPTIONS = {
  requestTimeout: 0,
  keepAliveTimeout: 65_000,
  headersTimeout: 10_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: MAX_HEADER_BYTES,
} satisfies ServerOptions;

/** Requests that take longer than this when the server has to end are cut off, ms. */
const END_MS = 8_000;
/** Longer than a long poll, which sends nothing for 30 s. */
const SILENT_MS = 120_000;

/** The HTTP server of the API: a connection on which nothing moves, or too slowly, is cut. */
export function createApiServer(
  fetch: (request: Request) => Response | Promise<Response>,
  { silentMs = SILENT_MS, ...options }: ServerOptions & { silentMs?: number } = {},
): Server {
  const serverOptions = { ...OPTIONS, ...options };
  const server = createAdaptorServer({ fetch, serverOptions }) as Server;
  server.setTimeout(silentMs);
  answerClientErrors(server);
  return server;
}

/** Accepts no more connections, lets requests end, and cuts off those that take too long. */
export async function closeApiServer(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  const cut = setTimeout(() => server.closeAllConnections(), END_MS);
  const idle = setInterval(() => server.closeIdleConnections(), 50); // kept alive after their answer
  await closed;
  clearTimeout(cut);
  clearInterval(idle);
}
