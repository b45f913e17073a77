import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { ConfigError } from './config.ts';
import { METRICS_TYPE } from './metrics.ts';

export interface MetricsServer extends AsyncDisposable {
  port: number;
}

/**
 * `GET /metrics` on a port of its own, without a key. Throws a `ConfigError` when the address is
 * not free.
 */
export async function serveMetrics(options: {
  host: string;
  port: number;
  text: () => Promise<string>;
  onError: (error: unknown) => void;
}): Promise<MetricsServer> {
  const { host, port, text, onError } = options;
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (path !== '/metrics') return void response.writeHead(404).end();
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return void response.writeHead(405, { allow: 'GET, HEAD' }).end();
    }
    text().then(
      (body) => response.writeHead(200, { 'content-type': METRICS_TYPE }).end(body),
      (error: unknown) => {
        onError(error);
        response.writeHead(500).end();
      },
    );
  });
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigError(
      `MILLRACE_METRICS_HOST and MILLRACE_METRICS_PORT must name an address that is free: ${host}:${port} is not (${code}).`,
    );
  }
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
