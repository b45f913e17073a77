import type { Dispatcher } from 'undici';

import type { ClientCertificateInput } from '../schema/clientCertificate.ts';
import type { Opening } from './opening.ts';

/** The part of an answer that has come so far. */
export interface SeenAnswer {
  /** The status once the whole status line is here, and 0 before. */
  readonly status: number;
  /** When the status line was complete, monotonic ms. */
  readonly statusAt: number;
  /** When all of the request had left this process, monotonic ms; 0 if that happened immediately. */
  readonly flushedAt: number;
}

/** The connection that a request has got, as long as the request uses it. */
export interface SeenLine {
  /** Null until the request was written. */
  readonly answer: SeenAnswer | null;
  /** The progress of opening the connection for this request; null: it was open before. */
  readonly opening: Opening | null;
}

/** Handles one request, and can see which part of its answer has come before the headers are complete. */
export interface OutletHandler extends Dispatcher.DispatchHandler {
  /** Called when a connection takes the request. */
  onConnection?(line: SeenLine): void;
  /** Whether the request has ended while it waited for a connection. */
  readonly isOver?: boolean;
}

/** Connections to one origin. */
export interface Outlet {
  /**
   * Sends a request, on a new connection if `fresh` is true. A request that ends without a complete
   * answer ends with `RequestLost`.
   */
  dispatch(options: Dispatcher.DispatchOptions, handler: OutletHandler, fresh?: boolean): boolean;
  /** Waits for open requests to end. */
  close(): Promise<void>;
  /** Cuts open requests. */
  destroy(): Promise<void>;
}

export interface OutletOptions {
  origin: string;
  /** At most this many requests are open concurrently. */
  connections: number;
  /**
   * So many connections are opened as requests need them, and further ones only while requests wait; all unless
   * given.
   */
  eager?: number;
  connectTimeoutMs: number;
  /** PEM certificates of the authorities to trust instead of the public ones. */
  ca?: string | null;
  /** The certificate, with its key, that is shown to a server that asks for one. Never log it. */
  clientCertificate?: ClientCertificateInput | null;
}
