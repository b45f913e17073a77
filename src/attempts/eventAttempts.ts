import type { Sql } from '../db/db.ts';
import {
  compare,
  isBefore,
  placeUpTo,
  type PastAttempt,
  type ReadPastAttempts,
} from './attemptPage.ts';
import {
  firstSuccess,
  fromRow,
  ofWhom,
  requestAt,
  ROW,
  SLACK_MS,
  timeOf,
  type StoredAttempt,
  type StoredRequest,
  type Whose,
} from './consumerAttempts.ts';

/** An event that is still kept. Attempts at it are found by its position, from its time on. */
export interface KnownEvent {
  eventId: string;
  position: number;
  at: string;
}

/** Looks an event up by its id; null when it never existed or is no longer kept. */
export async function findEvent(sql: Sql, eventId: string): Promise<KnownEvent | null> {
  const { rows } = await sql.query<{ position: number; at: string }>({
    text: `
      select e.position, e.event_inserted_at as at
        from event_ids i join events e on e.position = i.position
       where i.event_id = $1`,
    values: [eventId],
  });
  const [found] = rows;
  return found === undefined ? null : { eventId, ...found };
}

/** Reads the attempts at one event newest first, of one consumer, of those of a target, or of all (null). */
export function attemptsAt(sql: Sql, event: KnownEvent, whose: Whose | null): ReadPastAttempts {
  // The clocks of two machines may differ a little.
  const from = timeOf(Date.parse(event.at) - SLACK_MS);
  const [isTheirs, id]: [string, string?] = whose === null ? ['true'] : ofWhom(whose, '$5');
  const values = (...rest: unknown[]): unknown[] => [
    event.position,
    from,
    ...rest,
    ...(id === undefined ? [] : [id]),
  ];

  async function rowsUpTo(at: number, size: number): Promise<PastAttempt[]> {
    const { rows } = await sql.query<StoredAttempt>({
      text: `
        select ${ROW} from attempts b
         where position = $1 and started_at >= $2::timestamptz and started_at <= $3::timestamptz
           and event_id is not null and ${isTheirs}
         order by started_at desc fetch first $4 rows with ties`,
      values: values(timeOf(at), size),
    });
    return rows.map(fromRow);
  }

  async function successesUpTo(at: number, size: number): Promise<PastAttempt[]> {
    const { rows } = await sql.query<SuccessRow>({
      text: `
        select * from (
          select b.consumer_id, b.started_at[i] as started, b.duration_ms[i] as duration_ms,
                 b.status[i] as status, b.requests, i - 1 as index,
                 greatest(b.started_at[i], ${COMMITTED_MS} - ${SLACK_MS}) as at
            from attempt_batches b
            join consumers k on k.id = b.consumer_id and k.stream = 'events'
           cross join lateral array_position(b.positions, $1::bigint) i
           where b.low <= $1 and b.high >= $1 and b.committed_at >= $2::timestamptz and ${isTheirs}
             and i is not null
        ) made
         where at <= $3
         order by at desc fetch first $4 rows with ties`,
      values: values(at, size),
    });
    return rows.map(({ started, requests, index, ...row }) =>
      firstSuccess({
        ...row,
        ...requestAt(requests, index),
        position: event.position,
        startedAt: started,
      }),
    );
  }

  return async function read(before, size) {
    const sources = await Promise.all([rowsUpTo(before.at, size), successesUpTo(before.at, size)]);
    // A source that was cut off may have more attempts below its last one, so nothing below is complete.
    const cuts = sources.filter((made) => made.length >= size).map((made) => made.at(-1)?.at ?? 0);
    const floor = Math.max(...cuts, -Infinity);
    const made = sources
      .flat()
      .filter((one) => one.at >= floor && isBefore(one, before))
      .sort(compare);
    // All attempts of that moment were read, but none is before the place: go on below it.
    if (made.length === 0 && cuts.length > 0) return read(placeUpTo(floor - 1), size);
    return { made: made.slice(0, size), end: cuts.length === 0 && made.length <= size };
  };
}

const COMMITTED_MS = 'floor(extract(epoch from b.committed_at) * 1000)::bigint';

interface SuccessRow {
  consumer_id: string;
  started: number;
  at: number;
  duration_ms: number;
  status: number;
  requests: StoredRequest[] | null;
  /** Its index among the successes that were stored together. */
  index: number;
}
