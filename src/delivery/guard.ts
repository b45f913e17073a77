/** Wraps what others call, so that an exception in it reaches none of its callers. */
export type Guard = <A = void>(work: (argument: A) => void) => (argument: A) => void;

/**
 * Creates the guard of one drain: an exception in a wrapped function is passed to `failed`. So a drain that
 * throws harms no other drain that the same timer, tail or connection calls after it.
 */
export function createGuard(failed: (error: unknown) => void): Guard {
  return (work) => (argument) => {
    try {
      work(argument);
    } catch (error) {
      failed(error);
    }
  };
}
