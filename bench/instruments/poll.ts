import { setTimeout as wait } from 'node:timers/promises';

/** Polls until `done` holds; resolves with false when it does not within the time. */
export async function holdsWithin(
  timeoutMs: number,
  done: () => Promise<boolean>,
  everyMs = 50,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!(await done())) {
    if (performance.now() > deadline) return false;
    await wait(everyMs);
  }
  return true;
}
