const LANE = /^(.+)\/lane-(\d+)(?:\.\d+)?$/u;

/** The name under which a lane of a process holds one lease; `term` tells its leases apart. */
export function laneHolder(process: string, lane: number, term: number): string {
  return `${process}/lane-${lane}.${term}`;
}

/** The process that a holder of a lease names, and the number of its lane; null: it is no lane. */
export function readHolder(holder: string): { process: string; lane: number | null } {
  const [, process = holder, lane] = LANE.exec(holder) ?? [];
  return { process, lane: lane === undefined ? null : Number(lane) };
}
