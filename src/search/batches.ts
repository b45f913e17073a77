import type { Sql } from '../db/db.ts';
import type { SearchHit, SearchResult } from '../schema/search.ts';

interface Row extends Omit<Extract<SearchHit, { kind: 'batch' }>, 'kind'> {
  is_deleted: boolean;
}

/** Finds a batch by its `webhook-id` and the position of its first entry, with the attempt that was made last. */
export async function findBatch(sql: Sql, id: string, first: number): Promise<SearchResult> {
  const { rows } = await sql.query<Row>({
    // A batch whose first entry has a row has no success at this position among those that are stored together.
    text: `
      with made as (
        select consumer_id, batch_size, started_at, outcome, status, error_code from attempts
         where position = $1 and message_id = $2
        union all
        select consumer_id, (request ->> 2)::int, to_timestamp(started_at[at] / 1000.0), 'delivered', status[at], null
          from (select consumer_id, started_at, status, requests from attempt_batches
                 where low <= $1 and high >= $1 and requests is not null) near,
               jsonb_array_elements(requests) request,
               lateral (select (request ->> 0)::int + 1 as at) a
         where request ->> 3 = $2
      ), last as (
        select * from made order by started_at desc limit 1
      )
      select $2 as message_id, consumer_id, k.name as consumer_name, batch_size, $1::bigint as position,
             started_at, outcome, last.status, error_code, k.deleted_at is not null as is_deleted
        from last join consumers k on k.id = last.consumer_id`,
    values: [first, id],
  });
  const [found] = rows;
  if (found === undefined) return { data: [], note: nothingStored(first) };
  const { is_deleted: isDeleted, ...row } = found;
  const batch = { ...row, started_at: new Date(row.started_at).toISOString() }; // as lists of attempts have it
  if (!isDeleted) return { data: [{ kind: 'batch', ...batch }] };
  const when = `sent it last at ${batch.started_at}, ${batch.outcome}, and has been deleted since`;
  return { data: [], note: `The consumer “${batch.consumer_name}” ${when}.` };
}

function nothingStored(first: number): string {
  return (
    `Of this batch, whose first entry is at position ${first}, no attempt is stored. Its attempts are older than the ` +
    'retention of attempts, or its sender ended before it could store the outcome, as in a crash, or it was not sent from here. ' +
    'To find its entries, search for the event_id or version_id of an element of its body.'
  );
}
