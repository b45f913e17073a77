import type { Sql } from '../db/db.ts';
import type { StreamName } from '../schema/stream.ts';

/**
 * The positions up to which everything is settled for the consumers of a lane that do not fail; null: not known
 * yet.
 */
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

/** What a lane stores about itself when it renews its lease. */
export interface LaneNote {
  floors: Floors;
  /** The floors hold for the consumers of its claims up to this number. */
  claims: number;
  /** How many consumers it visits. */
  visiting: number;
}

/** How many lanes of the region have a lease, and how many consumers they visit. */
export interface AllLanes {
  lanes: number;
  visiting: number;
}

/**
 * Renews the lease of a lane, and returns the figures of all lanes; null when its lease is over, which cannot
 * be undone.
 */
export async function renewLaneLease(
  sql: Sql,
  id: string,
  leaseMs: number,
  { floors, claims, visiting }: LaneNote,
): Promise<AllLanes | null> {
  const { rows } = await sql.query<AllLanes>({
    name: 'renew lane',
    text: `
      update visit_lanes l
         set lease_until = clock_timestamp() + make_interval(secs => $2 / 1000.0), records = $3, events = $4,
             visiting = $5, claims = $6
       where id = $1 and lease_until > clock_timestamp()
      returning (select count(*) from visit_lanes v where v.region = l.region) as lanes,
                (select coalesce(sum(v.visiting), 0) from visit_lanes v
                  where v.region = l.region and v.id <> $1) + $5 as visiting`,
    values: [id, leaseMs, floors.records, floors.events, visiting, claims],
  });
  return rows[0] ?? null;
}

/** Ends the lease of a lane. Consumers that it still visits count as lost. */
export async function endLaneLease(sql: Sql, id: string): Promise<void> {
  await sql.query({
    name: 'end lane',
    text: 'delete from visit_lanes where id = $1',
    values: [id],
  });
}

/**
 * How long a lane whose lease is over may still store its outcomes, from when that was noted; then others claim
 * its consumers.
 */
const STORING = `interval '3 seconds'`;

/**
 * Notes the leases of lanes that have not renewed them in time, and ends those that were noted three seconds
 * ago. A lease that is over by the clock can't be renewed any more, and its lane sends nothing; it stays in force
 * until then, so that the lane can still store the outcomes of what it has sent. Because the note is a write, the
 * three seconds begin only when Postgres takes writes, however long it took none.
 */
export async function endLapsedLaneLeases(sql: Sql): Promise<void> {
  await sql.query({
    name: 'end lapsed lanes',
    text: `
      with noted as (
        update visit_lanes set lapsed_at = clock_timestamp()
         where lease_until < clock_timestamp() and lapsed_at is null
      )
      delete from visit_lanes where lapsed_at < clock_timestamp() - ${STORING}`,
  });
}
