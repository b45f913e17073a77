import { createDoubt, type Doubt } from './doubt.ts';
import {
  createFailBatch,
  handOverBatches,
  type FailBatch,
  type FailBatchOptions,
} from './failBatch.ts';
import type { BatchingFailures } from './failedBatches.ts';
import type { FailingEntries } from './failingEntries.ts';
import type { Outgoing } from './outgoing.ts';
import type { Suspects } from './suspects.ts';

/** What failed batches add to the failures of single entries. */
export interface BesideBatches {
  /** The doubt about the endpoint, which suspects and failed batches raise together. */
  doubt: Doubt<Outgoing>;
  failBatch: FailBatch;
  /** Whether the endpoint or an entry may be at fault because a batch has failed. */
  readonly any: boolean;
  /** Notes a success, whose request started at `startedMono` (monotonic ms). */
  succeeded(startedMono: number): void;
  /** As in `BatchingFailures`. */
  startedAt(slot: Outgoing): number | undefined;
  /** Notes them as failing, because the endpoint counts as failing. */
  handOver(): void;
}

export interface BesideBatchesOptions extends Omit<FailBatchOptions, 'batches' | 'doubt'> {
  /** Undefined: the drain sends no batches. */
  batching?: BatchingFailures | undefined;
  suspects: Suspects<Outgoing>;
  failing: Pick<FailingEntries, 'note'>;
}

/** Creates it without a failed batch. */
export function createBesideBatches(options: BesideBatchesOptions): BesideBatches {
  const { batching, suspects, failing } = options;
  if (batching === undefined) return withoutBatches(suspects);
  const { batches, startedAt } = batching;
  const doubt = createDoubt<Outgoing>({
    get tooMany() {
      return batches.tooManyBeside(suspects);
    },
    get exhausted() {
      return suspects.exhausted;
    },
  });
  return {
    doubt,
    failBatch: createFailBatch({ ...options, batches, doubt }),
    get any() {
      return batches.any;
    },
    succeeded: batches.succeeded,
    startedAt,
    handOver: () => handOverBatches(batches, failing),
  };
}

function withoutBatches(suspects: Suspects<Outgoing>): BesideBatches {
  return {
    doubt: createDoubt(suspects),
    failBatch: () => {
      throw new Error('this drain sends no batches');
    },
    any: false,
    succeeded: () => undefined,
    startedAt: () => undefined,
    handOver: () => undefined,
  };
}
