const LANE = /^(.+)\/lane-(\d+)(?:\.\d+)?$/u;

/** The name under which a lane of a process holds one lease; `term` distinguishes its leases. */
export function laneHolder(process: string, lane: number, term: number): string {
  return `${process}/lane-${lane}.${term}`;
}

/** The process and the number of the lane that a holder of a lease names; null if it is not a lane. */
export function readHolder(holder: string): { process: string; lane: number | null } {
  const [, process = holder, lane] = LANE.exec(holder) ?? [];
  return { process, lane: lane === undefined ? null : Number(lane) };
}
