import { CancellationScope, condition, proxyActivities } from '@temporalio/workflow';

import type { DeliveryActivities } from '../activities/contract.ts';
import type { Conclude, Ended } from './conclude.ts';
import type { Control } from './control.ts';
import { windowMs, type Known } from './known.ts';
import { isLastAttempt, remainingMs } from './timing.ts';

/** The consumer's sender: at most one `drain` or `deliver`, which no command ever has to wait for. */
export interface Sending {
  startDrain(): void;
  startDeliver(): void;
  /** Whether no activity is in progress and none waits to be concluded. */
  isNone(): boolean;
  /** Whether an activity of this kind is in progress. */
  isSending(kind: Ended['kind']): boolean;
  /** Whether an activity has ended and waits to be concluded. */
  hasEnded(): boolean;
  /** Carries out the consequences of the end of the activity. */
  concludeEnded(): Promise<void>;
  /** Notes that a command was applied, so that the sender's statements about the row may be out of date. */
  outdate(): void;
  /** Makes the running drain release its lease, and concludes it; outcomes of requests in flight are stored. */
  hold(): Promise<void>;
  /** Ends a running activity, if there is one, and concludes it; outcomes of requests in flight are stored. */
  quiet(): Promise<void>;
}

export interface SendingOptions {
  consumerId: string;
  deliveryQueue: string;
  control: Control;
  known: Known;
  conclude: Conclude;
  /** Whether `quiet` holds a drain; in older histories, it cancels the drain. */
  quietHolds: boolean;
}

type UnderWay = Ended & { scope: CancellationScope; done: boolean };

/** Creates the sender of one consumer; no activity is in progress. */
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
    known.cannotStart = null;
    underWay = start('drain', () => drain({ consumerId, waits: true }));
  }

  function startDeliver(): void {
    const leftMs = remainingMs(known.snapshot, windowMs(known), Date.now());
    const last = isLastAttempt(leftMs, windowMs(known));
    const { deliver } = proxyActivities<DeliveryActivities>({
      taskQueue,
      // Time to wait out a lease, for three requests of 15 s (the head, a probe, the head) with up to a
      // second before each, and a minute to commit.
      startToCloseTimeout: '150s',
      ...(last ? {} : { scheduleToCloseTimeout: leftMs }),
      heartbeatTimeout: '20s',
      retry: last
        ? { maximumAttempts: 1 }
        : // Used only for faults of Millrace itself: the endpoint's failures say when the next attempt is.
          { initialInterval: '2s', backoffCoefficient: 1 },
      summary: `the failing head, to ${known.snapshot.targetHost}`.slice(0, 100),
    });
    known.cannotStart = null;
    const input = { consumerId, last, windowMs: windowMs(known), waits: true };
    underWay = start('deliver', () => deliver(input));
  }

  async function hold(): Promise<void> {
    await control.hold();
    await untilConcluded();
  }

  async function quiet(): Promise<void> {
    if (underWay === null) return;
    // A drain is notified of a hold immediately, but of its cancellation only with a heartbeat.
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

/** Starts an activity in a scope of its own, by which it can be cancelled. */
function start<Kind, Result>(kind: Kind, activity: () => Promise<Result>) {
  const started = {
    kind,
    scope: new CancellationScope(),
    done: false,
    result: null as Result | null,
    error: null as unknown,
    outdated: false,
  };
  // When a sender ends together with a control activity, the one that is seen first decides about the
  // next command. In running workflows `done` must therefore become true neither sooner nor later.
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
