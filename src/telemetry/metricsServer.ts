import { once } from 'node:events';
import { createServer } from 'node:http';

import { listenOn } from '../process/listenOn.ts';
import { METRICS_TYPE } from './metrics.ts';

/** A server of `/metrics` that listens on `port` until it is disposed of. */
export interface MetricsServer extends AsyncDisposable {
  port: number;
}

/**
 * Serves `GET /metrics` on a port of its own, without a key. Rejects with a `ConfigError` when the
 * address is not free.
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
  const bound = await listenOn(
    server,
    { host, port },
    'MILLRACE_METRICS_HOST and MILLRACE_METRICS_PORT',
  );
  return {
    port: bound,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
