import type { EndReason } from '../delivery/ending.ts';
import type { Claimed } from '../progress/leases.ts';

/**
 * Why a visited consumer is handed over to a drain of its own. `busy`: it always has more to send. `blocked` or
 * `gone`: its endpoint fails. `parked`: it has parked entries. `unstartable`: a lasting fault keeps it from
 * sending. `changed`: a command has to be applied first. `failed`: an error in Millrace has ended the visit.
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
  /** A lane has opened; its figures are read at each scrape, until the returned function says that it has closed. */
  opened(lane: { readonly visiting: number }): () => void;
  /** These visits have begun. */
  begun(claimed: readonly Pick<Claimed, 'waitedMs'>[]): void;
  /** A visit has ended with a hand-over to a drain. */
  handedOver(why: HandOverReason): void;
}

/** The reason for the hand-over of a consumer whose sender has ended for this reason. */
export function whyAfter(reason: Exclude<EndReason, 'fenced'>): HandOverReason {
  if (reason === 'yielded') return 'busy';
  return reason === 'idle' ? 'parked' : reason; // an idle one without parked entries stays with the lanes
}
