/** How many consumers lanes visit. */
export interface Shares {
  /** The number of this lane. */
  mine: number;
  /** The number of all lanes together, this one included. */
  all: number;
  lanes: number;
}

/** A lane may visit so many times its share, plus so many more, before it releases some. */
const TIMES = 1.25;
const MORE = 100;

/**
 * How many consumers a lane should release, so that lanes of a worker that was started later get their share; 0
 * as long as it has little more than its own. Any lane claims the released consumers when their next entry
 * comes.
 */
export function surplusOf({ mine, all, lanes }: Shares): number {
  const share = Math.ceil(all / Math.max(1, lanes));
  return mine > TIMES * share + MORE ? mine - share : 0;
}
