import { isIP, type Socket } from 'node:net';

import { buildConnector, Client, type Dispatcher } from 'undici';

import { connectorOf, secureConnector, type Connect } from './connector.ts';
import { codeOf } from './errorCode.ts';
import { openLines } from './lines.ts';
import { outcomeOfError } from './networkError.ts';
import type { Outlet, OutletOptions } from './outlet.ts';

/** The egress proxy did not open a tunnel to the host. */
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
 * The egress proxy itself can't be reached or used, which says nothing about the host. The message is a
 * sentence without its full stop that says what to do.
 */
export class ProxyAway extends Error {
  override name = 'ProxyAway';
  readonly code = 'PROXY_AWAY';

  constructor(why: string, options: { cause?: unknown } = {}) {
    super(
      `The egress proxy that MILLRACE_EGRESS_PROXY names can't be used (${why}): ` +
        'start it, or correct the variable and restart the processes',
      options,
    );
  }
}

/** A proxy is near, so one that takes longer to connect to counts as away; ms. */
const CONNECT_MS = 5_000;

/**
 * Connections to an origin through an http or https proxy, which looks up the name: for https with each new
 * connection, through `CONNECT`; for http whenever it likes, because it forwards the requests. If the proxy
 * itself can't be reached, does not answer as a proxy, or refuses the credentials of its URL for a `CONNECT`,
 * requests fail with `ProxyAway`. A connection that is lost may have been lost with the proxy, so its request
 * may be repeated.
 */
export function openProxied(
  options: OutletOptions & { maxAgeMs: number },
  proxyUrl: string,
): Outlet {
  const { origin, connectTimeoutMs: timeout, ca = null, clientCertificate = null } = options;
  const proxy = new URL(proxyUrl);
  const toProxy = proxyConnector(timeout);
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
    const outlet = openLines({
      ...options,
      origin: proxy.origin,
      connect: direct,
      viaProxy: true,
    });
    const host = new URL(origin).host;
    const own = ['host', host, ...Object.entries(credentials).flat()];
    return {
      ...outlet,
      dispatch: (request, handler, fresh) =>
        outlet.dispatch({ ...forwarded(request, origin, own), ...tls }, handler, fresh),
    };
  }
  const secure = secureConnector({ ca, clientCertificate, timeoutMs: timeout });
  return openLines({
    ...options,
    viaProxy: true,
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
      if (statusCode === 407)
        throw new ProxyAway('it refuses the credentials in its URL, HTTP 407');
      throw new ProxyRefused(statusCode);
    } catch (error) {
      // The time is over while the proxy connects to the host, which may be the host's fault.
      const isOver = error instanceof Error && error.name === 'TimeoutError';
      throw isOver || error instanceof ProxyRefused ? error : awayBy(error);
    } finally {
      void client.destroy();
    }
  }
}

/** Connects to the proxy, with a time limit well before that of a request, so that it is known what took so long. */
function proxyConnector(timeoutMs: number): buildConnector.connector {
  const timeout = Math.min(CONNECT_MS, timeoutMs / 2);
  const connect = buildConnector({ rejectUnauthorized: true, allowH2: false, timeout });
  return (to, callback) =>
    connect(to, (...[error, socket]) => {
      if (error === null) callback(null, socket);
      else callback(awayBy(error), null);
    });
}

/** The error that says that the proxy is away, unless this machine is short of something. */
function awayBy(error: unknown): Error {
  if (error instanceof ProxyAway) return error;
  if (codeOf(error) === 'ENETUNREACH') return new ProxyAway('no route to it', { cause: error });
  const outcome = outcomeOfError(error, 'connect');
  if (outcome.kind === 'failed') return new ProxyAway(outcome.detail, { cause: error });
  return error instanceof Error ? error : new ProxyAway('an unknown error', { cause: error });
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
