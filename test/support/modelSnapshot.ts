import type { Sql } from '../../src/db/db.ts';
import type { ConsumerStatus } from '../../src/schema/consumer.ts';

/** What Postgres holds of one consumer. */
export interface Snapshot {
  position: number;
  ahead: number[];
  status: ConsumerStatus;
  failing_since: string | null;
  next_attempt_at: string | null;
  idle: boolean;
  filter_from: number | null;
  parked: number[];
  dead: { position: number; parked_at: string; died_at: string }[];
}

export async function readSnapshot(sql: Sql, consumerId: string | undefined): Promise<Snapshot> {
  const { rows } = await sql.query<Snapshot>({
    name: 'snapshot',
    text: `
      select c.position, c.ahead, k.status, k.failing_since, c.next_attempt_at, c.idle,
             (select f.filter_from from filter_versions f
               where f.consumer_id = k.id and f.version = k.filter_version),
             coalesce((select json_agg(p.position order by p.position) from parked p
                        where p.consumer_id = k.id), '[]') as parked,
             coalesce((select json_agg(json_build_object('position', d.position,
                                'parked_at', d.parked_at, 'died_at', d.died_at))
                         from dead_letters d where d.consumer_id = k.id), '[]') as dead
        from consumers k join cursors c on c.consumer_id = k.id where k.id = $1`,
    values: [consumerId],
  });
  return rows[0] as Snapshot;
}

/** Whether a position is neither passed nor settled ahead of the cursor. */
export function unsettledIn(now: Snapshot): (entry: { position: number }) => boolean {
  const ahead = new Set(now.ahead);
  return ({ position }) => position > now.position && !ahead.has(position);
}
