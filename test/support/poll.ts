import { setTimeout as wait } from 'node:timers/promises';

export interface UntilOptions {
  /** How long it may take before this throws. */
  timeoutMs?: number;
  /** Said when it takes too long. */
  what?: string;
}

/** Polls until `probe` gives something truthy and returns that; an error of its last try is the cause. */
export async function until<T>(
  probe: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<Exclude<T, false | null | undefined | 0 | ''>> {
  const timeoutMs = options.timeoutMs ?? 20_000;
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const found = await probe();
      if (found) return found as Exclude<T, false | null | undefined | 0 | ''>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`not within ${timeoutMs} ms: ${options.what ?? probe.toString()}`, { cause });
    }
    await wait(10);
  }
}
