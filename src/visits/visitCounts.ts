import type { EndReason } from '../delivery/ending.ts';
import type { Claimed } from '../progress/leases.ts';

/**
 * Why a visited consumer goes to a drain of its own. `busy`: it never comes to an end. `blocked` or `gone`: its
 * endpoint fails. `parked`: entries of it are parked. `unstartable`: a lasting fault keeps it from being sent to.
 * `changed`: a command comes between. `failed`: an error of ours has ended the visit.
 */
export const HAND_OVER_REASONS = [
  'busy',
  'blocked',
  'gone',
  'parked',
  'unstartable',
  'changed',
  'failed',
] as const;
export type HandOverReason = (typeof HAND_OVER_REASONS)[number];

/** What is counted of visits, for metrics. */
export interface VisitCounts {
  /** A lane has opened; it is asked at each scrape, until the returned function says that it has closed. */
  opened(lane: { readonly visiting: number }): () => void;
  /** These visits have begun. */
  begun(claimed: readonly Pick<Claimed, 'waitedMs'>[]): void;
  /** A visit has ended with its consumer going to a drain of its own. */
  handedOver(why: HandOverReason): void;
}

/** Why a consumer is handed over whose sender has ended for this reason. */
export function whyAfter(reason: Exclude<EndReason, 'fenced'>): HandOverReason {
  if (reason === 'yielded') return 'busy';
  return reason === 'idle' ? 'parked' : reason; // one that is idle with nothing parked stays with the lanes
}
