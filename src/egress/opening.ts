/** When each step of opening one connection was done, monotonic ms; 0: not yet, or not taken. */
export interface Opening {
  begunAt: number;
  /** As `begunAt` for an address, which is not looked up. */
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
