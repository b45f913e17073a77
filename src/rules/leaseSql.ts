/** Whether a lease of its own for the cursor `c` is in force. */
const IS_HELD_ALONE = `
  c.holder is not null and c.lease_until is not null and c.lease_until > clock_timestamp()`;

/** Whether a lease for the cursor `c` is in force: its own, or that of the lane which visits it. */
export const IS_HELD = `
  case when c.visited then exists (select from visit_lanes v where v.id = c.holder and v.lease_until > clock_timestamp())
       else ${IS_HELD_ALONE} end`;

/** When the lease for the cursor `c` is over, unless it is renewed; null: there is none. */
export const HELD_UNTIL = `
  case when c.visited then (select v.lease_until from visit_lanes v where v.id = c.holder)
       else c.lease_until end`;

/** Whether the cursor `c` belongs to a lane whose lease has not been deleted. */
export const IS_OF_LANE = `
  c.visited and exists (select from visit_lanes v where v.id = c.holder)`;

/**
 * Whether a sender of the cursor `c` may store what it has settled: its lease is in force or, for a lane, is over by
 * the clock and has not been ended. What a change must not overtake goes by this.
 */
export const MAY_STORE = `
  case when c.visited then ${IS_OF_LANE} else ${IS_HELD_ALONE} end`;
