import type { Duplex } from 'node:stream';

import type pg from 'pg';

/**
 * How to reach a source. Its address is one that a user has given, so the socket comes from the caller, who decides
 * where it may lead; the driver calls its `connect(port, host)`.
 */
export interface SourceConfig extends pg.ClientConfig {
  stream: () => Duplex;
}
