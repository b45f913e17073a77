import { isIP, type Socket } from 'node:net';

import { buildConnector, Client, type Dispatcher } from 'undici';

import { connectorOf, secureConnector, type Connect } from './connector.ts';
import { openLines } from './lines.ts';
import type { Outlet, OutletOptions } from './outlet.ts';

/** The egress proxy did not open a way to the host. */
export class ProxyRefused extends Error {
  override name = 'ProxyRefused';
  readonly code = 'PROXY_REFUSED';
  readonly status: number;

  constructor(status: number) {
    super(`the egress proxy answered HTTP ${status} to CONNECT`);
    this.status = status;
  }
}

/**
 * Connections to an origin through an http or https proxy, which looks the name up: with each new
 * connection for https, through `CONNECT`; as it likes for http, whose requests it forwards.
 */
export function openProxied(
  options: OutletOptions & { maxAgeMs: number },
  proxyUrl: string,
): Outlet {
  const { origin, connectTimeoutMs: timeout, ca = null } = options;
  const proxy = new URL(proxyUrl);
  const toProxy = buildConnector({ rejectUnauthorized: true, allowH2: false, timeout });
  /** The proxy looks the name of the endpoint up. */
  const direct: Connect = (to, callback, opening) => {
    opening.lookedUpAt = opening.begunAt;
    toProxy(to, callback);
  };
  const credentials = credentialsOf(proxy);
  // Without it undici would ask the proxy for the certificate of the host.
  const tls = {
    servername: isIP(proxy.hostname.replace(/^\[|\]$/gu, '')) === 0 ? proxy.hostname : '',
  };
  if (origin.startsWith('http:')) {
    const outlet = openLines({ ...options, origin: proxy.origin, connect: direct });
    const host = new URL(origin).host;
    const own = ['host', host, ...Object.entries(credentials).flat()];
    return {
      ...outlet,
      dispatch: (request, handler, fresh) =>
        outlet.dispatch({ ...forwarded(request, origin, own), ...tls }, handler, fresh),
    };
  }
  const secure = secureConnector({ ca, timeoutMs: timeout });
  return openLines({
    ...options,
    connect: connectorOf(async (to, opening) => {
      opening.lookedUpAt = opening.begunAt;
      const path = to.port === '' ? `${to.host}:443` : (to.host ?? '');
      const socket = await tunnel(path);
      opening.connectedAt = performance.now();
      return secure(to, socket);
    }),
  });

  /** On a client of its own, so that one that hangs holds up no other. */
  async function tunnel(path: string): Promise<Socket> {
    const client = new Client(proxy.origin, { connect: toProxy });
    try {
      const { statusCode, socket } = await client.connect({
        ...tls,
        path,
        headers: { host: path, ...credentials },
        signal: AbortSignal.timeout(timeout),
      });
      if (statusCode === 200) return socket as Socket;
      socket.on('error', () => undefined).destroy();
      throw new ProxyRefused(statusCode);
    } finally {
      void client.destroy();
    }
  }
}

function credentialsOf({ username, password }: URL): Record<string, string> {
  if (username === '') return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** The request in absolute form (RFC 9112 §3.2.2). */
function forwarded(
  request: Dispatcher.DispatchOptions,
  origin: string,
  own: string[],
): Dispatcher.DispatchOptions {
  const { headers } = request;
  const given = Array.isArray(headers) ? headers : Object.entries(headers ?? {}).flat();
  return { ...request, path: `${origin}${request.path}`, headers: [...own, ...given] as string[] };
}
