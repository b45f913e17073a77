import type { Logger } from 'pino';

import { startUpkeep } from '../process/upkeep.ts';
import { startVisits, type VisitsOf } from './startVisits.ts';

/** Soon after the process has started, and soon again when Temporal was away; then every few minutes. */
const LOOK_MS = 500;
const EVERY_MS = 300_000;

/**
 * Makes sure that the lanes of visits of this process's region run, as every process does that serves the
 * region: so a region has its lanes whichever process is the leader. If there should be none, earlier ones are
 * ended once.
 */
export function startVisitKeeper(options: VisitsOf & { log: Logger }): { close(): Promise<void> } {
  let dueAt = -Infinity; // monotonic ms
  return startUpkeep(
    [
      {
        name: 'keeping visits running',
        everyMs: LOOK_MS,
        run: async () => {
          if (performance.now() < dueAt) return;
          await startVisits(options);
          dueAt = options.lanes === 0 ? Infinity : performance.now() + EVERY_MS;
        },
      },
    ],
    options.log,
  );
}
