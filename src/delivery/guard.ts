/** Wraps what others call, so that an exception in it reaches none of its callers. */
export type Guard = <A extends unknown[]>(work: (...args: A) => void) => (...args: A) => void;

/**
 * Creates the guard of one drain: an exception in what it wraps is given to `failed`. So a drain that throws
 * harms no other drain that the same timer, tail or connection calls after it.
 */
export function createGuard(failed: (error: unknown) => void): Guard {
  return (work) =>
    (...args) => {
      try {
        work(...args);
      } catch (error) {
        failed(error);
      }
    };
}
