/** How many consumers lanes visit. */
export interface Shares {
  /** Those of this lane. */
  mine: number;
  /** Those of all lanes, this one included. */
  all: number;
  lanes: number;
}

/** A lane may visit so many times its share, and so many more, before it lets go of some. */
const TIMES = 1.25;
const MORE = 100;

/**
 * How many consumers a lane should let go of, so that those of a worker that was started later get their share; 0 as
 * long as it has not much more than its own. What is let go of is claimed by any lane when its next entry comes.
 */
export function surplusOf({ mine, all, lanes }: Shares): number {
  const share = Math.ceil(all / Math.max(1, lanes));
  return mine > TIMES * share + MORE ? mine - share : 0;
}
