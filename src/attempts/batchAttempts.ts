import type { Sql } from '../db/db.ts';
import { firstOfBatch } from '../rules/batchId.ts';
import {
  compare,
  isBefore,
  type PastAttempt,
  type PositionInTime,
  type ReadPastAttempts,
} from './attemptPage.ts';
import {
  BATCH_ROW,
  fromBatch,
  fromRow,
  ofWhom,
  ROW,
  SLACK_MS,
  timeOf,
  type BatchRow,
  type StoredAttempt,
  type Whose,
} from './consumerAttempts.ts';

/** The batch whose attempts are read. */
interface Batch {
  /** Its `webhook-id`. */
  id: string;
  /** The position of its first entry, at which each of its attempts has been stored. */
  first: number;
}

/**
 * Reads the attempts of one batch newest first, of one consumer or of those of a target: one for each of its entries each
 * time that it was sent. Null for what is no id of a batch.
 */
export function attemptsOfBatch(sql: Sql, id: string, whose: Whose): ReadPastAttempts | null {
  const first = firstOfBatch(id);
  if (first === null) return null;
  const batch = { id, first };
  return async (before, size) => {
    const successes = await readSuccesses(sql, batch, whose);
    const rows = await readRows(sql, batch, { whose, successes, before, size });
    const made = [...rows, ...successes.filter((one) => isBefore(one, before))].sort(compare);
    return { made: made.slice(0, size), end: rows.length < size && made.length <= size };
  };
}

/**
 * The successes that are stored together. They are looked up by the position alone, as a consumer may have any number of
 * others. Of a batch whose first entry has a row, because its trace was kept, the others were stored right after it was
 * answered.
 */
async function readSuccesses(sql: Sql, { id, first }: Batch, whose: Whose): Promise<PastAttempt[]> {
  const [isTheirs, of] = ofWhom(whose, '$1');
  const { rows } = await sql.query<BatchRow>({
    text: `
      with firsts as (
        select consumer_id, started_at, duration_ms from attempts
         where ${isTheirs} and position = $2 and message_id = $3 and outcome = 'delivered'
      ), near as materialized (
        select * from attempt_batches where low <= $2 and high >= $2 and requests is not null
      ), stored as (
        select * from near where ${isTheirs}
        union all
        select b.*
          from firsts f
          join attempt_batches b
            on b.consumer_id = f.consumer_id and b.committed_at >= f.started_at
           and b.committed_at < f.started_at + (f.duration_ms + ${SLACK_MS}) * interval '1 ms'
         where b.low > $2 and b.requests is not null
      )
      select ${BATCH_ROW} from stored
       where exists (select from jsonb_array_elements(requests) request where request ->> 3 = $3)`,
    values: [of, first, id],
  });
  return rows.flatMap(fromBatch).filter(({ message_id }) => message_id === id);
}

/** The attempts that have rows: all entries of a request have the same start. */
async function readRows(
  sql: Sql,
  { id, first }: Batch,
  page: { whose: Whose; successes: PastAttempt[]; before: PositionInTime; size: number },
): Promise<PastAttempt[]> {
  const { whose, successes, before, size } = page;
  const [isTheirs, of] = ofWhom(whose, '$1');
  const { rows } = await sql.query<StoredAttempt>({
    text: `
      with sent as (
        select consumer_id, started_at from attempts
         where ${isTheirs} and position = $2 and message_id = $3
        union
        select * from unnest($4::uuid[], $5::timestamptz[])
      )
      select ${ROW}
        from sent join attempts a using (consumer_id, started_at)
       where message_id = $3 and started_at <= $6::timestamptz
         and (started_at, id) < ($6::timestamptz, $7::uuid)
       order by started_at desc, id desc limit $8`,
    values: [
      of,
      first,
      id,
      successes.map(({ consumer_id }) => consumer_id),
      successes.map(({ startedAt }) => new Date(startedAt).toISOString()),
      timeOf(before.at),
      before.id,
      size,
    ],
  });
  return rows.map(fromRow);
}
