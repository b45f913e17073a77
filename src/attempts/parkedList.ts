import type { Sql } from '../db/db.ts';
import type { ParkedEntry } from '../schema/deadLetter.ts';

/** Lists the entries that a consumer's sender has parked, without their bodies. */
export interface ParkedList {
  /** Those below the position `after`, the newest entry first; null: from the newest on. */
  list(query: {
    consumerId: string;
    limit: number;
    after: number | null;
  }): Promise<{ data: ParkedEntry[]; next: number | null }>;
}

/** Creates the reader of the table `parked`. */
export function createParkedList(sql: Sql): ParkedList {
  return {
    list: async ({ consumerId, limit, after }) => {
      const { rows } = await sql.query<ParkedEntry>({
        text: `
          select p.consumer_id, p.position, p.message_id, p.sync_id, p.collection_id, p.upstream_id,
                 p.event, p.attempts, p.parked_at,
                 case when p.due_ms is not null then k.active_since
                   + make_interval(secs => greatest(0, p.due_ms - k.active_ms) / 1000.0) end
                   as next_attempt_at,
                 p.due_ms is null as follows, p.last_failure
            from consumers k
            join parked p on p.consumer_id = k.id
           where k.id = $1 and p.position < coalesce($2::bigint, 9223372036854775807)
           order by p.position desc
           limit $3`,
        values: [consumerId, after, limit + 1],
      });
      const data = rows.slice(0, limit);
      return { data, next: rows.length > limit ? (data.at(-1)?.position ?? null) : null };
    },
  };
}
