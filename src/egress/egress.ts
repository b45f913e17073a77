import { isIP } from 'node:net';

import { Pool, ProxyAgent, type buildConnector, type Dispatcher } from 'undici';

import { createMayReach } from './addresses.ts';
import {
  guardedConnector,
  refusingConnector,
  systemResolver,
  tlsOf,
  type Resolve,
} from './connector.ts';

/** Connections to one origin. */
export interface Outlet {
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean;
  /** Waits for open requests to end. */
  close(): Promise<void>;
  /** Cuts open requests. */
  destroy(): Promise<void>;
}

export interface OutletOptions {
  origin: string;
  /** At most this many requests are open concurrently. */
  connections: number;
  connectTimeoutMs: number;
  /** PEM certificates of the authorities to trust instead of the public ones. */
  ca?: string | null;
}

/** The guard of every outgoing request: its connections reach public and allowed addresses, nothing else. */
export interface Egress {
  /** Why this URL is refused, judged by its text alone; null when its text does not rule it out. */
  refusal(url: string): string | null;
  /**
   * Opens connections to an origin. They speak HTTP/1.1, never follow redirects, and are kept for 4 s
   * when idle (below the 5 s at which Node servers close theirs, so that a request rarely meets a
   * closing one). The caller keeps the deadlines: undici's own timers are coarse and stay off.
   * Requests fail with code `ADDRESS_REFUSED` when the address may not be reached.
   */
  open(options: OutletOptions): Outlet;
}

export interface EgressOptions {
  /** Ranges that may be reached although they are not public. */
  allowCidrs: readonly string[];
  /** An http or https proxy for all requests; it then looks names up, and has to judge their addresses. */
  proxyUrl?: string | null;
  /** The system's resolver by default. */
  resolve?: Resolve;
}

/** Create it once per process. Opening an outlet looks nothing up; names are checked as connections open. */
export function createEgress(options: EgressOptions): Egress {
  const { proxyUrl = null, resolve = systemResolver() } = options;
  const mayReach = createMayReach(options.allowCidrs);

  function refusal(url: string): string | null {
    const { hostname, port } = placeOf(url);
    if (isIP(hostname) !== 0) {
      return mayReach(hostname, port) ? null : `${hostname}:${port}${WHY}`;
    }
    const ours = isLoopbackName(hostname) && !LOOPBACK.some((one) => mayReach(one, port));
    return ours ? `${hostname}${WHY}` : null;
  }

  function connectorOf({ origin, connectTimeoutMs, ca = null }: OutletOptions) {
    const refused = refusal(origin);
    if (refused !== null) return refusingConnector(refused);
    const { port } = placeOf(origin);
    return guardedConnector({ port, mayReach, resolve, ca, timeoutMs: connectTimeoutMs });
  }

  return {
    refusal,
    open: (outlet) =>
      proxyUrl === null || refusal(outlet.origin) !== null
        ? openPool(outlet, connectorOf(outlet))
        : openProxied(outlet, proxyUrl),
  };
}

const WHY = ' is not a public address and port that webhooks may be sent to (MILLRACE_ALLOW_CIDRS)';
const LOOPBACK = ['127.0.0.1', '::1'];

function placeOf(text: string): { hostname: string; port: number } {
  const { hostname, port, protocol } = new URL(text);
  return {
    hostname: hostname.replace(/^\[|\]$/gu, ''),
    port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
  };
}

/** RFC 6761 §6.3. The URL parser has already converted the name to lower case. */
function isLoopbackName(hostname: string): boolean {
  return /(?:^|\.)localhost\.?$/u.test(hostname);
}

const POOL = {
  pipelining: 1,
  allowH2: false,
  keepAliveTimeout: 4_000,
  keepAliveMaxTimeout: 60_000,
  headersTimeout: 0,
  bodyTimeout: 0,
} as const;

function openPool({ origin, connections }: OutletOptions, connect: buildConnector.connector): Pool {
  return new Pool(origin, { ...POOL, connections, connect });
}

function openProxied(options: OutletOptions, proxyUrl: string): Outlet {
  const { origin, connections, connectTimeoutMs, ca = null } = options;
  const agent = new ProxyAgent({
    uri: proxyUrl,
    connectTimeout: connectTimeoutMs,
    proxyTls: { rejectUnauthorized: true, allowH2: false },
    requestTls: { ...tlsOf(ca), allowH2: false },
    factory: (to, more) => new Pool(to, { ...(more as Pool.Options), ...POOL, connections }),
  });
  return {
    dispatch: (request, handler) => agent.dispatch({ ...request, origin }, handler),
    close: () => agent.close(),
    destroy: () => agent.destroy(),
  };
}
