import { IS_LONG } from './long.ts';

/** mulberry32: the same numbers between 0 and 1 for the same seed, so that a run can be repeated. */
export function drawFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/**
 * What a test draws from. `given` repeats a run; otherwise the short form draws the same in each run, so that it fails
 * for what was changed; the long form draws anew, as does a test that is told how often.
 */
export function seedOf(given: string | undefined, isToldHowOften = false): number {
  if (given !== undefined) return Number(given);
  return isToldHowOften || IS_LONG ? Math.floor(Math.random() * 2 ** 31) : 1;
}
