import type { ParkedEntries } from '../failure/parkedEntries.ts';
import type { InFlightLimit } from '../flow/inFlightLimit.ts';
import type { Pace } from '../flow/pace.ts';
import type { SlidingWindow } from '../flow/slidingWindow.ts';
import type { StoredHead } from '../progress/lease.ts';
import type { Progress } from '../progress/progress.ts';
import type { OpenTarget } from '../targets/openTarget.ts';
import type { DrainEnd, Ending, EndReason } from './ending.ts';
import { SOON_MS } from './idleness.ts';
import type { Outage } from './outage.ts';

/** What the end of a drain needs. */
export interface ConclusionOptions {
  consumerId: string;
  epoch: number;
  slidingWindow: Pick<SlidingWindow<never>, 'settled'>;
  limit: InFlightLimit;
  pace: Pace;
  outage: Pick<Outage, 'close'>;
  parked: ParkedEntries;
  ending: Pick<Ending, 'reason' | 'failed' | 'fault'>;
  progress: Pick<Progress, 'release'>;
  /** Stores the outcomes; resolves once they are stored. */
  flush: () => Promise<void>;
  /** The target of the last requests. */
  target: () => OpenTarget;
  /** The consumer's own clock, ms. */
  clock: () => number;
  /** Unix ms, as Temporal counts. */
  nowMs: () => number;
}

/**
 * The end of a drain: everything noted is stored, and the lease is released with the facts that the next sender
 * has to know. A drain that was fenced, or whose outcomes were given up, stores and releases nothing.
 */
export async function concludeDrain(options: ConclusionOptions): Promise<DrainEnd> {
  const { ending, parked, limit, pace, consumerId, epoch } = options;
  const head = options.outage.close(); // stored by the flush
  // Also while outcomes are being stored: a successor may come, or storing may be given up.
  const over = (): boolean => ending.reason === 'fenced' || ending.failed;
  while (!over()) {
    await options.flush();
    if (!parked.unwritten) break;
  }
  if (!over()) {
    await options.progress.release({
      consumerId,
      epoch,
      idle: ending.reason === 'idle',
      parked: parked.size > 0,
      head: head === null ? null : 'keep',
      flow: { found: limit.found, ramping: limit.ramping },
      paceMs: pace.waitMs(performance.now()),
      ...(head === null ? {} : { triedTarget: options.target() }),
    });
  }
  const { position } = options.slidingWindow.settled();
  const reason = reasonOf(options, head);
  const fault = reason === 'unstartable' ? ending.fault : null;
  return {
    reason,
    position,
    head,
    parkedDueAt: parkedDueAt(options),
    ...(fault === null ? {} : { fault }),
  };
}

/** A drain that was to hand over a failing head may have delivered it meanwhile. */
function reasonOf({ ending }: ConclusionOptions, head: StoredHead | null): EndReason {
  const reason = ending.reason ?? 'yielded';
  return reason === 'blocked' && head === null ? 'yielded' : reason;
}

function parkedDueAt({ parked, clock, nowMs }: ConclusionOptions): number | null {
  if (parked.size === 0) return null;
  const inMs = Math.max(0, parked.nextDue - clock());
  return nowMs() + (Number.isFinite(inMs) ? inMs : SOON_MS);
}
