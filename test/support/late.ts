import { setTimeout as wait } from 'node:timers/promises';

/** How late an answer to a page may be: `LATE_MS=1000 npx vitest run test/console`. 0 is as fast as it is. */
const LATE_MS = Number(process.env['LATE_MS'] ?? 0);

/**
 * An API whose answers are late by a random time, so that they come in another order as well: a test that reads a page
 * before it shows what is meant fails then, on a machine of any speed.
 */
export function late(
  fetch: (request: Request) => Response | Promise<Response>,
): (request: Request) => Promise<Response> {
  return async (request) => {
    const answer = await fetch(request);
    if (LATE_MS > 0) await wait(Math.random() * LATE_MS);
    return answer;
  };
}
