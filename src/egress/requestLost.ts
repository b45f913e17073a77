import type { Wire } from './wire.ts';

/** A request ended without a complete answer; `cause` is the error of the connection, or else undici's. */
export class RequestLost extends Error {
  override name = 'RequestLost';
  /** The request was written. */
  readonly begun: boolean;
  /** The status of the answer if its whole status line came, and 0 otherwise. */
  readonly status: number;
  /** When the status line was complete, monotonic ms; 0 if it was not. */
  readonly statusAt: number;
  /**
   * No byte of an answer had come, and the connection may have died for another reason than this request: it
   * had served before, or leads through a proxy.
   */
  readonly mayBeRepeated: boolean;
  /** A part of an answer had come. */
  readonly answered: boolean;

  /**
   * `wire` is the connection that was open, `begun` whether the request was written to it, and `viaProxy` whether it
   * leads through a proxy.
   */
  constructor(
    cause: Error,
    { begun, wire, viaProxy = false }: { begun: boolean; wire: Wire | null; viaProxy?: boolean },
  ) {
    super(cause.message, { cause: wire?.error ?? cause });
    this.begun = begun;
    this.status = begun ? (wire?.status ?? 0) : 0;
    this.statusAt = this.status > 0 ? (wire?.statusAt ?? 0) : 0; // the wire's may be that of an earlier answer
    this.answered = begun && wire !== null && !wire.silent;
    const before = wire === null ? 0 : wire.requests - (begun ? 1 : 0);
    this.mayBeRepeated = (before > 0 || (begun && viaProxy)) && !this.answered;
  }
}
