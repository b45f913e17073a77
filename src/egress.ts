import { Pool, type Dispatcher } from 'undici';

/** Connections to one origin; every outgoing request goes through one. */
export interface Outlet {
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean;
  /** Lets open requests end. */
  close(): Promise<void>;
  /** Cuts open requests. */
  destroy(): Promise<void>;
}

export interface OutletOptions {
  origin: string;
  /** At most this many requests are open at once. */
  connections: number;
  connectTimeoutMs: number;
}

/**
 * Opens connections to an origin: HTTP/1.1, redirects never followed, idle connections kept for
 * 4 s (below the 5 s at which Node servers close theirs, so that a request rarely meets a
 * closing one). Deadlines are the caller's: undici's own timers are coarse and stay off.
 */
export function openOutlet(options: OutletOptions): Outlet {
  return new Pool(options.origin, {
    connections: options.connections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: 4_000,
    keepAliveMaxTimeout: 60_000,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: options.connectTimeoutMs },
  });
}
