import type { Client } from 'pg';

import { ensurePartitions } from '../../src/db/partitions.ts';

/** Which events to append. */
export interface FillOptions {
  count: number;
  /** The approximate size of each event's `data`. */
  dataBytes: number;
  /** An SQL expression over `n`, which counts from 1; so are the following ones. */
  sync: string;
  collection?: string;
  upstream: string;
  /** Further members of `data`, each followed by a comma. */
  members?: string;
}

const STEP = 50_000;

/**
 * Appends events by plain SQL, much faster than through the API and with the same result: positions without
 * gaps, stored ids, and the stream's row updated. Then it vacuums and checkpoints, as Postgres would do by
 * itself some minutes later.
 */
export async function fill(sql: Client, options: FillOptions): Promise<void> {
  const pad = 'x'.repeat(Math.max(0, options.dataBytes - 20));
  for (let done = 0; done < options.count; done += STEP) {
    const step = Math.min(STEP, options.count - done);
    await ensurePartitions(partitioned(sql));
    await sql.query(
      `with line as (
         update streams set last_position = last_position + $1, last_at = clock_timestamp()
          where name = 'events'
         returning last_position - $1 as base, last_position as last, last_at
       ), made as (
         select base + i as position, uuidv7()::text as event_id, $2 + i as n, last_at
           from line, generate_series(1, $1) as i
       ), ids as (
         insert into event_ids (event_id, position) select event_id, position from made
       ), texts as (
         select *, format('{"n":%s,%s"pad":"%s"}', n, ${options.members ?? `''`}, $3::text) as data
           from made
       ), inserted as (
         insert into events (position, event_id, event, sync_id, collection_id, upstream_id, data,
                             changes, size, upstream_updated_at, event_inserted_at)
         select position, event_id, 'updated', ${options.sync}, ${options.collection ?? `'bench:item'`},
                ${options.upstream}, data, null, octet_length(data), null, last_at
           from texts
       )
       select pg_notify('millrace_events', last::text) from line`,
      [step, done, pad],
    );
  }
  await sql.query('vacuum (analyze) events');
  await sql.query('vacuum (analyze) event_ids');
  await sql.query('checkpoint');
}

/** The connection, in the shape that `ensurePartitions` needs. */
function partitioned(sql: Client): Parameters<typeof ensurePartitions>[0] {
  const query = sql.query.bind(sql) as Parameters<typeof ensurePartitions>[0]['query'];
  return {
    query,
    transaction: async (work) => {
      await sql.query('begin');
      try {
        const result = await work({ query });
        await sql.query('commit');
        return result;
      } catch (error) {
        await sql.query('rollback');
        throw error;
      }
    },
  };
}
