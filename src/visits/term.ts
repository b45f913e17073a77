import type { LaneLease } from '../delivery/drainContext.ts';
import type { AllLanes, LaneId, LaneNote } from '../progress/laneLeases.ts';
import type { LaneLeases } from './visitStore.ts';

/** The time for which a lane holds one lease. */
export interface Term extends LaneLease {
  /** Names the lane in cursors; no other term has the same. */
  readonly id: string;
  /** Renews the lease; null when it is over. Rejects while Postgres is away; nothing is sent once it is over. */
  renew(note: LaneNote): Promise<AllLanes | null>;
  /** Ends the lease. */
  end(): Promise<void>;
}

/** Begins a term of `leaseMs`. */
export async function beginTerm(leases: LaneLeases, lane: LaneId, leaseMs: number): Promise<Term> {
  const { id } = lane;
  let until = performance.now() + leaseMs; // read first, so that the lease ends here no later than in Postgres
  await leases.begin(lane, leaseMs);
  return {
    id,
    get until() {
      return until;
    },
    renew: async (note) => {
      const next = performance.now() + leaseMs;
      const all = await leases.renew(id, leaseMs, note);
      if (all !== null) until = next;
      return all;
    },
    end: () => leases.end(id, leaseMs),
  };
}
