import type { Logger } from 'pino';

import type { Sql } from '../db/db.ts';
import { createWaits } from '../process/waits.ts';

/** A consumer, or a position on the events stream. */
export type AttemptWatch = { consumerId: string } | { position: number };

/** For those who wait until something has been tried. */
export interface AttemptWaits {
  /** Resolves when an attempt may have been recorded, after `ms`, or when `signal` aborts. */
  recorded(watched: AttemptWatch, ms: number, signal: AbortSignal): Promise<void>;
  /** Lets everyone go; from then on nobody waits. */
  close(): void;
  readonly closed: boolean;
}

const POLL_MS = 1_000;
/** Looked at again, since commits end later than they say: a wait may end for nothing. */
const OVERLAP_MS = 2_000;

/**
 * One query a second for the whole process tells all who wait whose attempts have been recorded,
 * and none while nobody waits: senders commit too often for a NOTIFY each.
 */
export function createAttemptWaits({
  sql,
  log,
}: {
  sql: Sql;
  log: Pick<Logger, 'warn'>;
}): AttemptWaits {
  const waits = createWaits<AttemptWatch>({ poll: () => void poll(), pollMs: POLL_MS });
  let polling = false;
  let since: string | null = null;

  function recorded(watched: AttemptWatch, ms: number, signal: AbortSignal): Promise<void> {
    if (waits.size === 0) since = null; // the first look goes back a few seconds, not to the last one
    return waits.until(watched, ms, signal);
  }

  async function poll(): Promise<void> {
    if (polling) return;
    polling = true;
    try {
      const all = waits.all();
      const { rows } = await sql.query<{ what: string; now: string }>({
        text: RECORDED,
        values: [
          [...new Set(all.flatMap((one) => ('consumerId' in one ? [one.consumerId] : [])))],
          [...new Set(all.flatMap((one) => ('position' in one ? [one.position] : [])))],
          since,
          OVERLAP_MS,
        ],
      });
      since = rows[0]?.now ?? null;
      const found = new Set(rows.map(({ what }) => what));
      waits.end((watched) => found.has(keyOf(watched)));
    } catch (error) {
      log.warn({ err: error }, 'attempts could not be looked for; trying again');
    } finally {
      polling = false;
    }
  }

  return {
    recorded,
    close: waits.close,
    get closed() {
      return waits.isClosed;
    },
  };
}

function keyOf(watched: AttemptWatch): string {
  return 'consumerId' in watched ? watched.consumerId : String(watched.position);
}

/** The first line is the time of the look, by Postgres' clock. */
const RECORDED = `
  with span as (
    select coalesce($3::timestamptz, clock_timestamp() - interval '5 s') - $4 * interval '1 ms' as since,
           clock_timestamp() as now
  )
  select null as what, now from span
  union all
  select consumer::text, now from unnest($1::uuid[]) consumer, span
   where exists (select from attempt_batches b where b.consumer_id = consumer and b.committed_at >= span.since)
      or exists (select from attempts a
                  where a.consumer_id = consumer and a.started_at >= span.since - interval '1 min'
                    and a.started_at + a.duration_ms * interval '1 ms' >= span.since)
  union all
  select asked::text, now from unnest($2::bigint[]) asked, span
   where exists (select from attempt_batches b
                  where b.committed_at >= span.since and b.low <= asked and b.high >= asked
                    and asked = any (b.positions))
      or exists (select from attempts a
                  where a.position = asked and a.started_at >= span.since - interval '1 min'
                    and a.started_at + a.duration_ms * interval '1 ms' >= span.since)`;
