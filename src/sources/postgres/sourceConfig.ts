import type { Duplex } from 'node:stream';

import type pg from 'pg';

/**
 * Creates a socket that is not connected yet. The address of a source is one that a user has given, so the socket comes
 * from the caller, who decides where it may lead; the driver calls its `connect(port, host)`.
 */
export type OpenSocket = () => Duplex;

/** How to reach a source. */
export interface SourceConfig extends pg.ClientConfig {
  stream: OpenSocket;
}
