import type { Logger } from 'pino';

import type { Sql } from '../db/db.ts';
import { createWaits } from '../process/waits.ts';

/** What to wait for: attempts of a consumer, or attempts at a position of the events stream. */
export type AttemptWatch = { consumerId: string } | { position: number };

/** Lets requests wait until an attempt has been recorded. */
export interface AttemptWaits {
  /** Resolves when an attempt may have been recorded, after `ms`, or when `signal` aborts. */
  recorded(watched: AttemptWatch, ms: number, signal: AbortSignal): Promise<void>;
  /** Ends all waits; later ones return immediately. */
  close(): void;
  readonly closed: boolean;
}

const POLL_MS = 1_000;
/** Polls overlap, because a commit becomes visible later than its own time; so a wait may end early. */
const OVERLAP_MS = 2_000;

/**
 * Polls once a second for the whole process, and not at all while nothing waits: senders commit too
 * often to send a NOTIFY each time.
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
      log.warn({ err: error }, 'new attempts could not be read; trying again');
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

/** Selects those for which attempts were recorded; the first row holds only the time of Postgres. */
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
  select awaited::text, now from unnest($2::bigint[]) awaited, span
   where exists (select from attempt_batches b
                  where b.committed_at >= span.since and b.low <= awaited and b.high >= awaited
                    and awaited = any (b.positions))
      or exists (select from attempts a
                  where a.position = awaited and a.started_at >= span.since - interval '1 min'
                    and a.started_at + a.duration_ms * interval '1 ms' >= span.since)`;
