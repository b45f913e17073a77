import type { Server, ServerOptions } from 'node:http';

import { createAdaptorServer } from '@hono/node-server';

import { answerClientErrors, MAX_HEADER_BYTES } from './clientErrors.ts';

/**
 * NDJSON of any length takes its time (other bodies are timed where they are read); a balancer in
 * front may keep connections for a minute. Headers have ten seconds and 16 KiB.
 */
const OPTIONS = {
  requestTimeout: 0,
  keepAliveTimeout: 65_000,
  headersTimeout: 10_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: MAX_HEADER_BYTES,
} satisfies ServerOptions;

/** Longer than a long poll, which says nothing for 30 s. */
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
