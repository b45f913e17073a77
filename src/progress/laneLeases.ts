import type { Sql } from '../db/db.ts';
import type { StreamName } from '../schema/stream.ts';

/** Everything up to here is settled for those consumers of a lane that do not fail; null: it is not known yet. */
export type Floors = Record<StreamName, number | null>;

/** A lane of visits, which visits consumers of one region. */
export interface LaneId {
  /** Must not have been used before. */
  id: string;
  region: string;
}

/** Begins the lease of a lane, for `leaseMs` from now. */
export async function beginLaneLease(
  sql: Sql,
  { id, region }: LaneId,
  leaseMs: number,
): Promise<void> {
  await sql.query({
    name: 'begin lane',
    text: `
      insert into visit_lanes (id, region, lease_until)
      values ($1, $2, clock_timestamp() + make_interval(secs => $3 / 1000.0))`,
    values: [id, region, leaseMs],
  });
}

/** What a lane notes of itself when it renews its lease. */
export interface LaneNote {
  floors: Floors;
  /** Of how many consumers it is the sender. */
  visiting: number;
}

/** How many lanes of the region have a lease, and of how many consumers they are the senders. */
export interface AllLanes {
  lanes: number;
  visiting: number;
}

/** Renews the lease of a lane, and returns what there is of lanes; null when its lease is over, which is for good. */
export async function renewLaneLease(
  sql: Sql,
  id: string,
  leaseMs: number,
  { floors, visiting }: LaneNote,
): Promise<AllLanes | null> {
  const { rows } = await sql.query<AllLanes>({
    name: 'renew lane',
    text: `
      update visit_lanes l
         set lease_until = clock_timestamp() + make_interval(secs => $2 / 1000.0), records = $3, events = $4,
             visiting = $5
       where id = $1 and lease_until > clock_timestamp()
      returning (select count(*) from visit_lanes v where v.region = l.region) as lanes,
                (select coalesce(sum(v.visiting), 0) from visit_lanes v
                  where v.region = l.region and v.id <> $1) + $5 as visiting`,
    values: [id, leaseMs, floors.records, floors.events, visiting],
  });
  return rows[0] ?? null;
}

/** Ends the lease of a lane. What it still visits counts as lost. */
export async function endLaneLease(sql: Sql, id: string): Promise<void> {
  await sql.query({
    name: 'end lane',
    text: 'delete from visit_lanes where id = $1',
    values: [id],
  });
}

/** So long after the end of its lease a lane that lives may store what it has sent; then others claim from it. */
const STORING = `interval '3 seconds'`;

/**
 * Ends the leases of lanes that have not renewed them in time. A lease that is over by the clock can't be renewed
 * any more, and its lane sends nothing; it is in force until this is done, so that what the lane has sent can
 * still be stored.
 */
export async function endLapsedLaneLeases(sql: Sql): Promise<void> {
  await sql.query({
    name: 'end lapsed lanes',
    text: `delete from visit_lanes where lease_until < clock_timestamp() - ${STORING}`,
  });
}
