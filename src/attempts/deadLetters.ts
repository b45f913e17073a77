import type { Sql } from '../db/db.ts';
import { toPage, type ListPlace, type ListPage } from '../db/keyset.ts';
import { removeDeadLetter } from '../progress/deadLetterRows.ts';
import type { DeadLetter, DeadLetterGroup, DeadLetterWithBody } from '../schema/deadLetter.ts';

/** Reads and deletes dead letters. Senders write them as they commit; `replay` commands take them back. */
export interface DeadLetters {
  /** Newest first. */
  list(query: {
    consumerId: string;
    upstreamId?: string | undefined;
    /** Error code of the last failure. */
    code?: string | undefined;
    /** HTTP status of the last failure, or `none` for those without an answer. */
    status?: string | undefined;
    limit: number;
    after: ListPlace | null;
  }): Promise<ListPage<DeadLetter>>;
  /** Groups them by their last failure, the largest group first. */
  groups(consumerId: string): Promise<DeadLetterGroup[]>;
  get(consumerId: string, id: string): Promise<DeadLetterWithBody | null>;
  /** False when there was none. */
  remove(consumerId: string, id: string): Promise<boolean>;
}

const COLUMNS = `id, consumer_id, position, message_id, sync_id, collection_id, upstream_id, event,
  attempts, parked_at, died_at, last_failure`;

/** Reads the table `dead_letters`, and deletes from it. */
export function createDeadLetters(sql: Sql): DeadLetters {
  return {
    list: async ({ consumerId, upstreamId, code, status, limit, after }) => {
      const { rows } = await sql.query<DeadLetter>({
        text: `
          select ${COLUMNS} from dead_letters
           where consumer_id = $1 and ($3::uuid is null or (died_at, id) < ($2::timestamptz, $3))
             and ($5::text is null or upstream_id = $5)
             and ($6::text is null or last_failure ->> 'code' = $6)
             and ($7::text is null or coalesce(last_failure ->> 'status', 'none') = $7)
           order by died_at desc, id desc
           limit $4`,
        values: [
          consumerId,
          after?.at ?? null,
          after?.id ?? null,
          limit + 1,
          upstreamId ?? null,
          code ?? null,
          status ?? null,
        ],
      });
      return toPage(rows, limit, (row) => ({ at: row.died_at, id: row.id }));
    },
    groups: async (consumerId) => {
      const { rows } = await sql.query<DeadLetterGroup>({ text: GROUPS, values: [consumerId] });
      return rows;
    },
    get: async (consumerId, id) => {
      const { rows } = await sql.query<DeadLetterWithBody>({
        text: `select ${COLUMNS}, body from dead_letters where consumer_id = $1 and id = $2`,
        values: [consumerId, id],
      });
      return rows[0] ?? null;
    },
    remove: (consumerId, id) => removeDeadLetter(sql, consumerId, id),
  };
}

/** Records are hashed rather than sorted, and the newest of each group is then found by its index. */
const GROUPS = `
  with by_record as (
    select last_failure ->> 'code' as code, (last_failure ->> 'status')::int as status,
           count(*) as letters, max(died_at) as newest_at
      from dead_letters where consumer_id = $1
     group by 1, 2, sync_id, collection_id, upstream_id
  ), grouped as (
    select code, status, sum(letters)::bigint as count, count(*) as records, max(newest_at) as newest_at
      from by_record group by code, status
  )
  select code, status, count, records, newest_at,
         (select d.id from dead_letters d
           where d.consumer_id = $1 and d.died_at = g.newest_at and d.last_failure ->> 'code' = g.code
             and (d.last_failure ->> 'status')::int is not distinct from g.status
           order by d.died_at desc, d.id desc limit 1) as example_id
    from grouped g
   order by count desc, code, status`;
