import { createMayReach } from './addresses.ts';
import { guardedConnector, refusingConnector } from './connector.ts';
import { openLines } from './lines.ts';
import type { Outlet, OutletOptions } from './outlet.ts';
import { openProxied } from './proxied.ts';
import { createRefusal, placeOf } from './refusal.ts';
import { systemResolver, type Resolve } from './resolver.ts';

/** The guard of every outgoing request: its connections reach public and allowed addresses, nothing else. */
export interface Egress {
  /** Why this URL is refused, judged by its text alone; null when its text does not rule it out. */
  refusal(url: string): string | null;
  /**
   * Opens connections to an origin. They speak HTTP/1.1, never follow redirects, and are kept for 4 s
   * when idle (below the 5 s at which Node servers close theirs, so that a request rarely meets a
   * closing one). Interim answers (1xx) are dropped. A connection gets no further request once it is
   * 2 to 3 minutes old, so that a name which has moved is noticed under steady traffic. The caller
   * keeps the deadlines: undici's own timers are coarse and stay off.
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
  /** How old a connection gets, in ms, instead of 2 to 3 minutes. */
  maxAgeMs?: number;
}

/** Long enough to cost nothing, and short enough that a move of a host takes effect within minutes. */
const MAX_AGE_MS = 120_000;
/** Outlets that were opened together do not reconnect together. */
const AGE_SPREAD_MS = 60_000;

/** Create it once per process. Opening an outlet looks nothing up; names are checked as connections open. */
export function createEgress(options: EgressOptions): Egress {
  const { proxyUrl = null, resolve = systemResolver() } = options;
  const mayReach = createMayReach(options.allowCidrs);
  const refusal = createRefusal(mayReach);

  function connectorOf({ origin, connectTimeoutMs: timeoutMs, ...tls }: OutletOptions) {
    const { ca = null, clientCertificate = null } = tls;
    const refused = refusal(origin);
    if (refused !== null) return refusingConnector(refused);
    const { port } = placeOf(origin);
    return guardedConnector({ port, mayReach, resolve, ca, clientCertificate, timeoutMs });
  }

  return {
    refusal,
    open: (outlet) => {
      const maxAgeMs = options.maxAgeMs ?? MAX_AGE_MS + Math.random() * AGE_SPREAD_MS;
      return proxyUrl === null || refusal(outlet.origin) !== null
        ? openLines({ ...outlet, maxAgeMs, connect: connectorOf(outlet) })
        : openProxied({ ...outlet, maxAgeMs }, proxyUrl);
    },
  };
}
