import type { FailureVerdict } from '../failure/failureHandler.ts';
import type { FailingHead } from '../progress/attemptLog.ts';

export type EndReason =
  | 'idle'
  | 'blocked'
  | 'changed'
  | 'yielded'
  | 'fenced'
  /** The endpoint answered 410. */
  | 'gone'
  /** Too many entries are parked. */
  | 'parked';

/** How a drain ended. */
export interface DrainEnd {
  reason: EndReason;
  position: number;
  /** The failing entry, where the drain ended blocked or gone. */
  head: FailingHead | null;
  /** When the next parked entry is due, unix ms; null: none is parked. */
  parkedDueAt: number | null;
}

export interface EndingOptions {
  /** How many requests are open: a drain concludes once there is none. */
  inFlight: () => number;
  /** Stores what is left and releases the lease; runs once. */
  conclude: () => Promise<DrainEnd>;
  /** Gives back what the drain holds of the process. */
  leave: () => void;
}

/** Why and when a drain ends. It concludes once, as soon as it has a reason and nothing is in flight. */
export interface Ending {
  /** Null while sending goes on. */
  readonly reason: EndReason | null;
  /** The drain is concluding, or has: no change is taken any more. */
  readonly concluding: boolean;
  /** Begins to end; a reason that came before stays. */
  begin(reason: EndReason): void;
  /** What the endpoint's answer means while sending may be ending already; does not conclude. */
  judge(verdict: FailureVerdict): void;
  /** Another sender has the lease: whatever the reason was, nothing is stored any more. */
  fence(): void;
  concludeWhenQuiet(): void;
  /** It has ended with an error: what is left can't be stored. */
  readonly failed: boolean;
  /** Ends now, with an error, without storing anything. */
  fail(error: Error): void;
  /** Rejects when what is left could not be stored. */
  readonly ended: Promise<DrainEnd>;
}

export function createEnding(options: EndingOptions): Ending {
  const end = Promise.withResolvers<DrainEnd>();
  let reason: EndReason | null = null;
  let concluding = false;
  let failed = false;

  function concludeWhenQuiet(): void {
    if (reason !== null && options.inFlight() === 0) void conclude();
  }

  async function conclude(): Promise<void> {
    if (concluding) return;
    concluding = true;
    try {
      end.resolve(await options.conclude());
    } catch (error) {
      end.reject(error);
    } finally {
      options.leave();
    }
  }

  return {
    get reason() {
      return reason;
    },
    get concluding() {
      return concluding;
    },
    begin: (next) => {
      reason ??= next;
      concludeWhenQuiet();
    },
    judge: (verdict) => {
      reason = endsBy(verdict, reason);
    },
    fence: () => {
      reason = 'fenced';
    },
    concludeWhenQuiet,
    get failed() {
      return failed;
    },
    fail: (error) => {
      concluding = true;
      failed = true;
      reason ??= 'yielded';
      options.leave();
      end.reject(error);
    },
    ended: end.promise,
  };
}

/**
 * Why a drain ends, by a verdict that comes while it may be ending already: the endpoint's verdict
 * counts also where sending ends for another reason, and 410 above all.
 */
export function endsBy(verdict: FailureVerdict, reason: EndReason | null): EndReason | null {
  if (verdict === 'goes on' || reason === 'fenced') return reason;
  const decided = reason === 'blocked' || reason === 'parked' || reason === 'gone';
  return decided && verdict !== 'gone' ? reason : verdict;
}
