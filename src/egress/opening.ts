/** When each step of opening one connection was completed, monotonic ms; 0: not yet, or not needed. */
export interface Opening {
  begunAt: number;
  /** Equal to `begunAt` for an IP address, which is not looked up. */
  lookedUpAt: number;
  connectedAt: number;
  securedAt: number;
  /** Whether TLS follows the connection. */
  readonly isSecure: boolean;
}

/** A connection that begins to open now. */
export function beginOpening(isSecure: boolean): Opening {
  return {
    begunAt: performance.now(),
    lookedUpAt: 0,
    connectedAt: 0,
    securedAt: 0,
    isSecure,
  };
}
