import { ATTEMPT_STEPS, type AttemptStep } from '../../schema/attemptSteps.ts';
import type { AttemptTimings } from '../../schema/attemptTrace.ts';

/** One bar of the waterfall. */
export interface Step extends Omit<AttemptStep, 'key'> {
  /** From the beginning of the first step, ms. */
  from: number;
  ms: number;
}

/** The steps that happened, in order, each with where it begins. */
export function stepsOf(timings: AttemptTimings): Step[] {
  const steps: Step[] = [];
  let from = 0;
  for (const { key, name, of, about } of ATTEMPT_STEPS) {
    const ms = timings[key];
    if (ms === null) continue;
    steps.push({ name, of, about, from, ms });
    from += ms;
  }
  return steps;
}

/** The time of all steps together, ms. */
export function wholeOf(steps: readonly Step[]): number {
  const last = steps.at(-1);
  return last === undefined ? 0 : last.from + last.ms;
}

/** A duration in words: `0.4 ms`, `12 ms`, `3.2 s`. */
export function durationText(ms: number): string {
  if (ms >= 10_000) return `${Math.round(ms / 1_000)} s`;
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms >= 10 ? `${Math.round(ms)} ms` : `${Math.round(ms * 10) / 10} ms`;
}
