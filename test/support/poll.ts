import { setTimeout as wait } from 'node:timers/promises';

export interface UntilOptions {
  /** How long it may take before this throws. */
  timeoutMs?: number;
  /** Said when it takes too long; a function says it with what was seen last. */
  what?: string | (() => string);
}

/** Below the time a test may take, so that what is waited for is named. */
const PATIENCE_MS = 90_000;
const FIRST_MS = 10;
/** What takes long is not asked so often: a probe that asks a server takes its time from what it waits for. */
const LAST_MS = 100;

/** Polls until `probe` gives something truthy and returns that; an error of its last try is the cause. */
export async function until<T>(
  probe: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<Exclude<T, false | null | undefined | 0 | ''>> {
  const timeoutMs = options.timeoutMs ?? PATIENCE_MS;
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  let pauseMs = FIRST_MS;
  for (;;) {
    try {
      const asked = probe();
      if (asked instanceof Promise) pauseMs = Math.min(LAST_MS, pauseMs * 1.2);
      const found = await asked;
      if (found) return found as Exclude<T, false | null | undefined | 0 | ''>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) {
      const { what = probe.toString() } = options;
      const said = typeof what === 'string' ? what : what();
      throw new Error(`not within ${timeoutMs} ms: ${said}`, { cause });
    }
    await wait(pauseMs);
  }
}
