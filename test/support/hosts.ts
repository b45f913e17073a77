import type { VisitCounts } from '../../src/visits/visitCounts.ts';

/** Who sends to the consumers of a world at first. */
export interface Host {
  /** As titles name it. */
  by: string;
  /** What the world is opened with. */
  options: { visitLanes?: number; mustVisit?: boolean };
}

/**
 * Both kinds of senders. What is promised of a consumer's deliveries is tested with each of them: a consumer that a
 * lane visits gets a drain of its own when it is busy or has been resumed, and `deliver` while it fails for long.
 */
export const HOSTS: readonly Host[] = [
  { by: 'drains', options: {} },
  { by: 'lanes of visits', options: { visitLanes: 1, mustVisit: true } },
];

/** What lanes have done. */
export interface NotedVisits {
  /** Notes visits, beside what it was created with. */
  counts: VisitCounts;
  /** Whether a lane has visited a consumer. */
  readonly any: boolean;
}

/** Notes visits, and has `counts` count them if it is given. */
export function noteVisits(counts?: VisitCounts): NotedVisits {
  let any = false;
  return {
    counts: {
      opened: (lane) => counts?.opened(lane) ?? (() => undefined),
      begun: (claimed) => {
        any = true;
        counts?.begun(claimed);
      },
      handedOver: (why) => counts?.handedOver(why),
    },
    get any() {
      return any;
    },
  };
}
