import { HAND_OVER_REASONS, type VisitCounts } from '../visits/visitCounts.ts';
import { createCounts, createDurations } from './counters.ts';
import type { Metrics } from './metrics.ts';

/** The lanes that a process may run. */
export interface LanesOf {
  region: string;
  /** How many lanes the region should have. */
  lanes: number;
}

/** Counts the visits of a process, and shows its lanes beside the number that its region should have. */
export function countVisits(metrics: Metrics, { region, lanes: wanted }: LanesOf): VisitCounts {
  const lanes = new Set<{ readonly visiting: number }>();
  const begun = createCounts('millrace_visits_total', 'Visits of quiet consumers that have begun');
  const waits = createDurations(
    'millrace_visit_wait_seconds',
    'Time from when a quiet consumer wants an entry until a lane has claimed it',
    { long: true },
  );
  const handedOver = createCounts<'reason'>(
    'millrace_visit_handovers_total',
    'Visits that have ended because the consumer got a drain of its own, by reason',
  );
  const visits = begun.of({});
  for (const reason of HAND_OVER_REASONS) handedOver.of({ reason });
  metrics.register(begun, waits, handedOver);
  metrics.gauge('millrace_visited_consumers', 'Consumers that lanes of this process visit', () =>
    visiting(lanes),
  );
  metrics.gauges(
    'millrace_visit_lanes',
    'Lanes of visits that run in this process',
    'region',
    () => ({ [region]: lanes.size }),
  );
  metrics.gauges(
    'millrace_visit_lanes_wanted',
    'How many lanes of visits the region should have in all processes together',
    'region',
    () => ({ [region]: wanted }),
  );

  return {
    opened: (lane) => {
      lanes.add(lane);
      return () => void lanes.delete(lane);
    },
    begun: (claimed) => {
      visits.count += claimed.length;
      for (const { waitedMs } of claimed) if (waitedMs !== null) waits.add(waitedMs);
    },
    handedOver: (reason) => {
      handedOver.of({ reason }).count += 1;
    },
  };
}

function visiting(lanes: Iterable<{ readonly visiting: number }>): number {
  let sum = 0;
  for (const lane of lanes) sum += lane.visiting;
  return sum;
}
