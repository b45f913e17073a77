import type { QueryArrayResult } from 'pg';

import type { Sql } from '../db/db.ts';
import type { StreamName } from '../schema/stream.ts';
import { COLUMNS, ENTRY_OF, type Entry } from './entry.ts';

/** Some of the entries at given positions. */
export interface EntriesAt {
  entries: Entry[];
  /** How many of the positions were read. */
  read: number;
}

/**
 * Reads the entries at the first of these descending positions: at all, unless the text of the entries exceeds
 * `maxBytes`, and at one at least. What has left its position is left out.
 */
export async function readEntriesAt(
  sql: Sql,
  stream: StreamName,
  positions: readonly number[],
  maxBytes: number,
): Promise<EntriesAt> {
  const text = `
    select ${COLUMNS[stream]} from (
      select *, sum(size) over (order by position desc) - size as before
        from ${stream} where position = any ($1::bigint[])
    ) e where before < $2 order by position desc`;
  const config = { text, values: [positions, maxBytes], rowMode: 'array' };
  const { rows } = (await sql.query(config)) as unknown as QueryArrayResult<unknown[]>;
  const entries = rows.map((row) => ENTRY_OF[stream](row, 0));
  const bytes = entries.reduce((sum, one) => sum + one.bytes, 0);
  // With so many bytes there may be more; what follows the last one is read by the next call.
  const last = bytes < maxBytes ? undefined : entries.at(-1)?.position;
  return { entries, read: last === undefined ? positions.length : positions.indexOf(last) + 1 };
}
