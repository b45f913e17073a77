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
  /** It was lost on a connection that had served before, and no byte of an answer had come. */
  readonly onUsedConnection: boolean;
  /** A part of an answer had come. */
  readonly answered: boolean;

  /** `wire` is the connection that was open, and `begun` whether the request was written to it. */
  constructor(cause: Error, { begun, wire }: { begun: boolean; wire: Wire | null }) {
    super(cause.message, { cause: wire?.error ?? cause });
    this.begun = begun;
    this.status = begun ? (wire?.status ?? 0) : 0;
    this.statusAt = this.status > 0 ? (wire?.statusAt ?? 0) : 0; // the wire's may be of an earlier answer
    this.answered = begun && wire !== null && !wire.silent;
    const before = wire === null ? 0 : wire.requests - (begun ? 1 : 0);
    this.onUsedConnection = before > 0 && !this.answered;
  }
}
