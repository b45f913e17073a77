import type { Sql } from '../db/db.ts';
import type { StreamName } from '../schema/stream.ts';

/** Everything up to here is settled for those consumers of a lane that do not fail; null: it visits none of the stream. */
export type Floors = Record<StreamName, number | null>;

/** Begins the lease of a lane, for `leaseMs` from now. The id must not have been used before. */
export async function beginLaneLease(sql: Sql, id: string, leaseMs: number): Promise<void> {
  await sql.query({
    name: 'begin lane',
    text: `
      insert into visit_lanes (id, lease_until)
      values ($1, clock_timestamp() + make_interval(secs => $2 / 1000.0))`,
    values: [id, leaseMs],
  });
}

/** Renews the lease of a lane; false when it is over, which is for good. */
export async function renewLaneLease(
  sql: Sql,
  { id, leaseMs, floors }: { id: string; leaseMs: number; floors: Floors },
): Promise<boolean> {
  const { rows } = await sql.query({
    name: 'renew lane',
    text: `
      update visit_lanes
         set lease_until = clock_timestamp() + make_interval(secs => $2 / 1000.0), records = $3, events = $4
       where id = $1 and lease_until > clock_timestamp()
      returning id`,
    values: [id, leaseMs, floors.records, floors.events],
  });
  return rows.length > 0;
}

/** Ends the lease of a lane. What it still visits counts as lost. */
export async function endLaneLease(sql: Sql, id: string): Promise<void> {
  await sql.query({
    name: 'end lane',
    text: 'delete from visit_lanes where id = $1',
    values: [id],
  });
}

/**
 * Ends the leases of lanes that have not renewed them in time. A lease that is over by the clock is in force until
 * this is done, as a renewal may be under way: the row's lock orders the two.
 */
export async function endLapsedLaneLeases(sql: Sql): Promise<void> {
  await sql.query({
    name: 'end lapsed lanes',
    text: 'delete from visit_lanes where lease_until < clock_timestamp()',
  });
}
