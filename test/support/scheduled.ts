import { RETRY_SECONDS, stretchOf } from '../../src/rules/retry.ts';

/** A time of the schedule that is less than this away counts as reached, ms. */
const EARLY_MS = 50;
/** The process that plans and Postgres, which says when something was stored, may differ by this, ms. */
const CLOCKS_MS = 200;
/** What is stored is rounded to ms, several times. */
const ROUNDED_MS = 10;

/**
 * Between which times the attempt is planned that follows one which ended at `endedMs` and was stored at `storedMs`:
 * however long a busy machine takes, it plans somewhere between the two. All times are ms after the list of the
 * consumer's schedule began.
 */
export function plannedBetween(
  consumerId: string,
  { endedMs, storedMs }: { endedMs: number; storedMs: number },
): { least: number; most: number } {
  const factor = 900 + 200 * stretchOf(consumerId);
  const after = (ms: number): number => {
    let at = 0;
    for (const seconds of RETRY_SECONDS) {
      at += seconds * factor;
      if (at > ms + EARLY_MS) return Math.max(at, ms + RETRY_SECONDS[0] * factor);
    }
    throw new Error('so late that only hours are left of the schedule');
  };
  return {
    least: after(endedMs - CLOCKS_MS) - ROUNDED_MS,
    most: after(storedMs + CLOCKS_MS) + ROUNDED_MS,
  };
}
