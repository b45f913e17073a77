import type { Delivered, Drained } from '../activities/contract.ts';
import type { StopReason } from '../consumers/lifecycle.ts';

/** What to do once a `drain` or `deliver` has ended. */
export type Verdict =
  | { do: 'block' }
  /** `success`: the endpoint has accepted an entry; otherwise nothing was left to try. */
  | { do: 'unblock'; success: boolean }
  | { do: 'stop'; why: StopReason }
  /** Take over what the drain reports about the row, so that no activity has to read it. */
  | { do: 'believe'; idle: boolean }
  /** Read the row again; the next attempt is not made within `thenWaitMs`. */
  | { do: 'look'; thenWaitMs: number };

/**
 * How a `drain` ended: its reason, or `failed` without one. `woken`: it became idle, but a command was
 * applied while it ran, which may have ended that.
 */
type DrainEnding = Drained['reason'] | 'woken' | 'failed';

/**
 * How a `deliver` ended: its outcome, or how it failed. `final`: its last attempt in the window
 * failed. `cancelled`: this workflow cancelled it. `failed`: it failed without a verdict on the endpoint.
 */
export type DeliverEnding = Delivered['outcome'] | 'final' | 'cancelled' | 'failed';

const LOOK: Verdict = { do: 'look', thenWaitMs: 0 };

/** The consequence of each end of a drain. A missing case does not compile, here and below. */
const AFTER_DRAIN: Record<DrainEnding, Verdict> = {
  idle: { do: 'believe', idle: true },
  yielded: { do: 'believe', idle: false },
  blocked: { do: 'block' },
  gone: { do: 'stop', why: 'gone' },
  parked: { do: 'stop', why: 'parked' },
  changed: LOOK,
  unstartable: LOOK,
  fenced: LOOK,
  woken: LOOK,
  failed: LOOK,
};

const AFTER_DELIVER: Record<DeliverEnding, Verdict> = {
  delivered: { do: 'unblock', success: true },
  parked: { do: 'unblock', success: true },
  clear: { do: 'unblock', success: false },
  gone: { do: 'stop', why: 'gone' },
  final: { do: 'stop', why: 'window' },
  changed: LOOK,
  unstartable: LOOK,
  cancelled: LOOK,
  failed: { do: 'look', thenWaitMs: 1_000 },
};

/**
 * The consequence of the end of a `drain`; `reason` is null when it failed. `outdated`: a command was applied
 * while it ran. If a worker of a later version gives an unknown reason, the row is read.
 */
export function afterDrain(reason: Drained['reason'] | null, outdated: boolean): Verdict {
  if (reason === 'idle' && outdated) return AFTER_DRAIN.woken;
  return AFTER_DRAIN[reason ?? 'failed'] ?? LOOK;
}

/** The consequence of the end of a `deliver`; if its outcome is unknown here, the row is read. */
export function afterDeliver(ending: DeliverEnding): Verdict {
  return AFTER_DELIVER[ending] ?? LOOK;
}
