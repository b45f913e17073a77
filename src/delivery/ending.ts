import type { FailureVerdict } from '../failure/verdict.ts';
import type { StoredHead } from '../progress/lease.ts';
import type { CannotStart } from '../rules/startFault.ts';

/** Why a drain ends. */
export type EndReason =
  | 'idle'
  | 'blocked'
  | 'changed'
  | 'yielded'
  | 'fenced'
  /** The endpoint answered 410. */
  | 'gone'
  /** Entries of too many records are parked. */
  | 'parked'
  /** A lasting fault that is not the endpoint's keeps it from sending. */
  | 'unstartable';

/** How a drain ended. */
export interface DrainEnd {
  reason: EndReason;
  position: number;
  /** The failing entry if the drain ended as `blocked` or `gone`; otherwise null. */
  head: StoredHead | null;
  /** When the next parked entry is due, unix ms; null: none is parked. */
  parkedDueAt: number | null;
  /** The lasting fault if the drain ended as `unstartable`. */
  fault?: CannotStart;
}

/** What a drain needs to end. */
export interface EndingOptions {
  /** How many requests are open: a drain concludes once there is none. */
  inFlight: () => number;
  /** Called when the drain begins to end by `begin`. */
  begun: () => void;
  /** Stores what is left and releases the lease; runs once. */
  conclude: () => Promise<DrainEnd>;
  /** Gives back what the drain holds of the process's resources. */
  leave: () => void;
}

/** Decides why and when a drain ends. It concludes once, when it has a reason and nothing is in flight. */
export interface Ending {
  /** Null while sending continues. */
  readonly reason: EndReason | null;
  /** Whether the drain is concluding or has concluded, so that it accepts no more changes. */
  readonly concluding: boolean;
  /** Begins to end the drain; an earlier reason is kept. */
  begin(reason: EndReason): void;
  /** Takes over a verdict, even while the drain is ending for another reason. Does not conclude. */
  judge(verdict: FailureVerdict): void;
  /** Ends the drain for a lasting fault that is not the endpoint's, unless it has a reason to end. Does not conclude. */
  cannotSend(fault: CannotStart): void;
  /** The lasting fault; null: there is none. */
  readonly fault: CannotStart | null;
  /** Notes that another sender has the lease: whatever the reason was, nothing more is stored. */
  fence(): void;
  /** Concludes if there is a reason and nothing is in flight; call it whenever a request has ended. */
  concludeWhenQuiet(): void;
  /** The drain has ended with an error: what is left can't be stored. */
  readonly failed: boolean;
  /** Ends the drain immediately with an error, without storing anything. */
  fail(error: unknown): void;
  /** Resolves when the drain has concluded; rejects when its outcomes could not be stored. */
  readonly ended: Promise<DrainEnd>;
}

/** Creates the ending of a running drain. */
export function createEnding(options: EndingOptions): Ending {
  const end = Promise.withResolvers<DrainEnd>();
  let reason: EndReason | null = null;
  let concluding = false;
  let failed = false;
  let fault: CannotStart | null = null;

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
      if (reason === null) {
        reason = next;
        options.begun();
      }
      concludeWhenQuiet();
    },
    judge: (verdict) => {
      reason = endsBy(verdict, reason);
    },
    cannotSend: (its) => {
      fault ??= its;
      reason ??= 'unstartable';
    },
    get fault() {
      return fault;
    },
    fence: () => {
      reason = 'fenced';
    },
    concludeWhenQuiet,
    get failed() {
      return failed;
    },
    fail: (error) => {
      if (failed) return;
      concluding = true;
      failed = true;
      reason ??= 'yielded';
      options.leave();
      end.reject(error instanceof Error ? error : new Error('a drain threw', { cause: error }));
    },
    ended: end.promise,
  };
}

/**
 * The reason of a drain after a verdict. A verdict on the endpoint replaces any reason but `fenced`
 * and an earlier verdict, which only `gone` replaces.
 */
export function endsBy(verdict: FailureVerdict, reason: EndReason | null): EndReason | null {
  if (verdict === 'goes on' || reason === 'fenced') return reason;
  const decided = reason === 'blocked' || reason === 'parked' || reason === 'gone';
  return decided && verdict !== 'gone' ? reason : verdict;
}
