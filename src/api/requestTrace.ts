import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';

import { readTraceparent } from '../schema/traceparent.ts';
import type { ToRow } from './entries.ts';

/** The header that names the trace of a request to append, for the API's document. */
export const TraceparentHeader = z.object({
  traceparent: z.string().optional().meta({
    description:
      'The trace of all entries that have no `traceparent` of their own (W3C Trace Context). An invalid one is ignored',
    example: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  }),
});

/** A row that may be of a trace; undefined: nothing was said of it. */
export interface Traceable {
  traceparent?: string | null | undefined;
}

/**
 * Reads rows as `toRow` does, and puts those that say nothing of a trace into that of the request. Without a valid header
 * `traceparent`, it is `toRow` itself.
 */
export function withinRequest<Row extends Traceable>(c: Context, toRow: ToRow<Row>): ToRow<Row> {
  const given = c.req.header('traceparent');
  const traceparent = given === undefined ? null : readTraceparent(given);
  if (traceparent === null) return toRow;
  return (entry, base) => {
    const read = toRow(entry, base);
    if ('row' in read && read.row.traceparent === undefined) read.row.traceparent = traceparent;
    return read;
  };
}
