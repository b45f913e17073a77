import { setTimeout as pause } from 'node:timers/promises';

import type { CheckpointInput } from '../schema/checkpoint.ts';
import { Overloaded, type Appender } from '../streams/append.ts';
import type { Fence } from '../streams/fence.ts';
import { RefusedEntry } from '../streams/refusedEntry.ts';
import type { PlannedChange } from './groupPlan.ts';

/** Appends for a source under its claim. */
export interface FencedAppend {
  /**
   * Resolves once the changes and the checkpoints are on disk, in one transaction. While Postgres can't keep up it
   * waits. A change that can't be stored because of its data is left out, after `onRefused` has resolved for it. Rejects
   * with `Fenced` once the claim is lost, and with an error of Postgres; then it may be unknown whether it is stored.
   */
  append(
    changes: readonly PlannedChange[],
    checkpoints: readonly CheckpointInput[],
    onRefused?: (change: PlannedChange, why: string) => Promise<void>,
  ): Promise<void>;
}

export interface FencedAppendOptions {
  appender: Pick<Appender, 'records'>;
  fence: Fence;
  /** Whether all of these checkpoints are stored. */
  areStored: (checkpoints: readonly CheckpointInput[]) => Promise<boolean>;
  /** Ends the waiting. */
  signal: AbortSignal;
}

const WAIT_MS = { first: 100, most: 5_000 };

export function createFencedAppend(options: FencedAppendOptions): FencedAppend {
  const { appender, fence, areStored, signal } = options;

  async function append(
    planned: readonly PlannedChange[],
    checkpoints: readonly CheckpointInput[],
    onRefused?: (change: PlannedChange, why: string) => Promise<void>,
  ): Promise<void> {
    const left = [...planned];
    for (let waitMs = WAIT_MS.first; ; waitMs = Math.min(2 * waitMs, WAIT_MS.most)) {
      const refused = await tryOnce(left, checkpoints);
      if (refused === null) return;
      if (refused instanceof RefusedEntry) {
        const [out] = left.splice(refused.index, 1);
        if (out !== undefined) await onRefused?.(out, `Its ${refused.field} ${refused.detail}`);
        continue;
      }
      await pause(waitMs, undefined, { signal });
      if (await areStored(checkpoints)) return; // it was slow, and is not to be appended twice
    }
  }

  async function tryOnce(
    changes: readonly PlannedChange[],
    checkpoints: readonly CheckpointInput[],
  ): Promise<RefusedEntry | Overloaded | null> {
    try {
      await appender.records(
        changes.map(({ change }) => change),
        { checkpoints, fence },
      );
      return null;
    } catch (error) {
      if (error instanceof RefusedEntry && error.field === 'data') return error;
      if (error instanceof Overloaded) return error;
      throw error;
    }
  }

  return { append };
}
