import { CancellationScope, condition, proxyActivities } from '@temporalio/workflow';

import type { DeliveryActivities } from '../activities/contract.ts';
import type { Conclude, Ended } from './conclude.ts';
import type { Control } from './control.ts';
import { windowMs, type Known } from './known.ts';
import { isLastAttempt, remainingMs } from './timing.ts';

/** The consumer's sender: at most one `drain` or `deliver`, never awaited where a command could wait for it. */
export interface Sending {
  startDrain(): void;
  startDeliver(): void;
  /** Whether none is under way and none waits to be concluded. */
  isNone(): boolean;
  /** Whether one of this kind is under way. */
  isSending(kind: Ended['kind']): boolean;
  /** Whether one has ended and waits to be concluded. */
  hasEnded(): boolean;
  /** Carries out what follows from the end of the one that has ended. */
  concludeEnded(): Promise<void>;
  /** A command was applied: what the sender says of the row may be older than the row. */
  outdate(): void;
  /** Has the drain under way release its consumer, and concludes it; what is in flight is stored. */
  hold(): Promise<void>;
  /** Ends what is under way, if anything, and concludes it; what is in flight is stored. */
  quiet(): Promise<void>;
}

export interface SendingOptions {
  consumerId: string;
  deliveryQueue: string;
  control: Control;
  known: Known;
  conclude: Conclude;
  /** Whether `quiet` holds a drain; in histories from before that, it cancels it. */
  quietHolds: boolean;
}

type UnderWay = Ended & { scope: CancellationScope; done: boolean };

export function createSending(options: SendingOptions): Sending {
  const { consumerId, deliveryQueue: taskQueue, control, known, conclude } = options;
  let underWay: UnderWay | null = null;

  function startDrain(): void {
    const { drain } = proxyActivities<DeliveryActivities>({
      taskQueue,
      startToCloseTimeout: '3h',
      heartbeatTimeout: '15s',
      retry: { initialInterval: '500ms', maximumInterval: '5s' },
      summary: `to ${known.snapshot.targetHost}`.slice(0, 100),
    });
    underWay = start('drain', () => drain({ consumerId }));
  }

  function startDeliver(): void {
    const leftMs = remainingMs(known.snapshot, windowMs(known), Date.now());
    const last = isLastAttempt(leftMs, windowMs(known));
    const { deliver } = proxyActivities<DeliveryActivities>({
      taskQueue,
      // Waiting out a lease, three requests of 15 s (the head, a probe, the head) with up to a second
      // before each, and a minute to commit.
      startToCloseTimeout: '150s',
      ...(last ? {} : { scheduleToCloseTimeout: leftMs }),
      heartbeatTimeout: '20s',
      retry: last
        ? { maximumAttempts: 1 }
        : // Only our own faults use it: the endpoint's failures say when the next attempt is.
          { initialInterval: '2s', backoffCoefficient: 1 },
      summary: `the failing head, to ${known.snapshot.targetHost}`.slice(0, 100),
    });
    underWay = start('deliver', () => deliver({ consumerId, last, windowMs: windowMs(known) }));
  }

  async function hold(): Promise<void> {
    await control.hold();
    await untilConcluded();
  }

  async function quiet(): Promise<void> {
    if (underWay === null) return;
    // A drain is notified of a hold immediately, of its cancellation only with a heartbeat.
    if (underWay.kind === 'drain' && options.quietHolds) await control.hold();
    else underWay.scope.cancel();
    await untilConcluded();
  }

  async function untilConcluded(): Promise<void> {
    await condition(hasEnded);
    await concludeEnded();
  }

  function concludeEnded(): Promise<void> {
    if (underWay === null) throw new Error('nothing has ended');
    const ended = underWay;
    underWay = null;
    return conclude(ended);
  }

  function hasEnded(): boolean {
    return underWay?.done ?? false;
  }

  return {
    startDrain,
    startDeliver,
    isNone: () => underWay === null,
    isSending: (kind) => underWay !== null && underWay.kind === kind && !underWay.done,
    hasEnded,
    concludeEnded,
    outdate: () => {
      if (underWay !== null) underWay.outdated = true;
    },
    hold,
    quiet,
  };
}

/** Starts an activity of the delivery queue in a scope of its own, by which it can be cancelled. */
function start<Kind, Result>(kind: Kind, activity: () => Promise<Result>) {
  const started = {
    kind,
    scope: new CancellationScope(),
    done: false,
    result: null as Result | null,
    error: null as unknown,
    outdated: false,
  };
  // Which of a sender's end and the answer of a control activity is seen first decides the next
  // command when both come at once. So in running workflows `done` must come neither sooner nor later.
  started.scope
    .run(activity)
    .then(
      (result) => {
        started.result = result;
      },
      (error: unknown) => {
        started.error = error;
      },
    )
    .finally(() => {
      started.done = true;
    });
  return started;
}
