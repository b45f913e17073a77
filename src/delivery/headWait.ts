import type { StoredHead } from '../progress/lease.ts';
import type { Recoveries } from './recoveries.ts';

export interface HeadWaitOptions {
  recoveries: Recoveries;
  /** The target that requests go to. */
  targetId: string;
  /** Unix ms, as Temporal counts. */
  nowMs: () => number;
  /** Called when the head has become due. */
  stir: () => void;
}

/** The time that a failing head waits for its next attempt. */
export interface HeadWait {
  /** Begins to wait until the head is due or, if the target can't be reached, until another sender has reached it. */
  begin(head: StoredHead, cantBeReached: boolean): void;
  /** Makes the attempt due now; if one is in progress, right after that. */
  hurry(): void;
  /** Waits for this time from now on, ms. */
  rest(ms: number): void;
  /** Ends the wait, as an attempt begins. */
  end(): void;
  /** Ends the wait for good: nothing fails any more, or the drain ends. */
  close(): void;
  /** Waits for this target from now on. */
  aim(targetId: string): void;
  /** Notes that the target was reached. */
  reached(): void;
  /** When the wait is over, monotonic ms. */
  readonly dueAt: number;
}

/** Creates a wait that has not begun. */
export function createHeadWait(options: HeadWaitOptions): HeadWait {
  const { recoveries, nowMs } = options;
  let { targetId } = options;
  let waits = false;
  let hurried = false;
  let dueAt = -Infinity;

  function wake(): void {
    if (waits) dueAt = -Infinity;
    options.stir();
  }

  function end(): void {
    waits = false;
    recoveries.leave(wake);
  }

  return {
    begin: (head, cantBeReached) => {
      waits = true;
      dueAt = hurried ? -Infinity : performance.now() + (head.nextAttemptAt ?? 0) - nowMs();
      hurried = false;
      if (cantBeReached) recoveries.join(targetId, wake);
    },
    hurry: () => {
      if (waits) dueAt = -Infinity;
      else hurried = true;
    },
    rest: (ms) => {
      waits = true;
      dueAt = hurried ? -Infinity : performance.now() + ms;
      hurried = false;
    },
    end,
    close: () => {
      hurried = false;
      end();
    },
    aim: (next) => {
      targetId = next;
    },
    reached: () => recoveries.reached(targetId),
    get dueAt() {
      return dueAt;
    },
  };
}
