/** Whether what has a short form runs in its long one: `npm run test:long`. */
export const IS_LONG = process.env['TESTS'] === 'long';

/**
 * What of a matrix is tested at one turn: everything in the long form; in the short one a share, where as many turns
 * in a row as there are shares have everything once.
 */
export function shareOf<T>(all: readonly T[], turn: number, shares: number): readonly T[] {
  return IS_LONG ? all : all.filter((_, index) => (index + turn) % shares === 0);
}
