import { isCancellation } from '@temporalio/workflow';

import type { Delivered, Drained } from '../activities/contract.ts';
import type { ConsumerSnapshot } from '../consumers/consumerSnapshot.ts';
import type { Control } from './control.ts';
import type { Known } from './known.ts';
import { afterDeliver, afterDrain, type DeliverEnding, type Verdict } from './verdicts.ts';
import { wasFinal } from './wasFinal.ts';

/** A `drain` or `deliver` that has ended; `result` is null when it failed with `error`. */
export type Ended = {
  error: unknown;
  /** Whether a command was applied after it began, so that its statements about the row may be out of date. */
  outdated: boolean;
} & ({ kind: 'drain'; result: Drained | null } | { kind: 'deliver'; result: Delivered | null });

/** Carries out what follows from the end of a `drain` or `deliver`; then the snapshot equals the row again. */
export type Conclude = (ended: Ended) => Promise<void>;

/** Creates the function for one consumer. */
export function createConclude({ control, known }: { control: Control; known: Known }): Conclude {
  async function conclude(ended: Ended): Promise<void> {
    const verdict = verdictOn(ended);
    known.snapshot = await carriedOut(verdict, ended.kind === 'drain' ? ended.result : null);
    if (verdict.do === 'look' && verdict.thenWaitMs > 0)
      known.notBefore = Date.now() + verdict.thenWaitMs;
    known.cannotStart = cannotStartOf(ended);
  }

  function carriedOut(
    verdict: Verdict,
    drained: Drained | null,
  ): Promise<ConsumerSnapshot> | ConsumerSnapshot {
    switch (verdict.do) {
      case 'block':
        return control.block(drained?.failure ?? 'the endpoint fails');
      case 'unblock':
        return control.unblock(verdict.success);
      case 'stop':
        return control.stop(verdict.why);
      case 'believe': {
        const { position, parkedDueAt } = drained ?? known.snapshot;
        return { ...known.snapshot, position, idle: verdict.idle, parkedDueAt };
      }
      case 'look':
        return control.look();
    }
  }

  return conclude;
}

/**
 * The fault that kept the sender from sending; a command that came meanwhile may have fixed it, so it is then
 * tried immediately.
 */
function cannotStartOf({ result, outdated }: Ended): Known['cannotStart'] {
  if (result?.cannotStart === undefined) return null;
  const waitMs = outdated ? 0 : (result.againInMs ?? 0);
  return { reason: result.cannotStart, until: Date.now() + waitMs };
}

function verdictOn(ended: Ended): Verdict {
  if (ended.kind === 'drain') return afterDrain(ended.result?.reason ?? null, ended.outdated);
  return afterDeliver(ended.result?.outcome ?? failureOf(ended.error));
}

function failureOf(error: unknown): DeliverEnding {
  if (wasFinal(error)) return 'final';
  return isCancellation(error) ? 'cancelled' : 'failed';
}
