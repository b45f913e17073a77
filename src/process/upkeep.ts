import type { Logger } from 'pino';

/** A task that a process repeats. */
export interface Chore {
  /** Logged when it fails; it is then tried again at its next turn. */
  name: string;
  everyMs: number;
  run(): Promise<void>;
}

/** Runs each chore immediately, then every `everyMs`, and never twice at the same time. */
export function startUpkeep(
  chores: Chore[],
  log: Pick<Logger, 'warn'>,
): { /** Stops, and waits for running chores. */ close(): Promise<void> } {
  const running = new Set<Promise<void>>();
  const timers = chores.map((chore) => {
    let busy = false;
    async function turn(): Promise<void> {
      if (busy) return;
      busy = true;
      try {
        await chore.run();
      } catch (error) {
        log.warn({ err: error, chore: chore.name }, 'an upkeep task failed; it is repeated later');
      }
      busy = false;
    }
    function start(): void {
      const turned = turn();
      running.add(turned);
      void turned.finally(() => running.delete(turned));
    }
    start();
    return setInterval(start, chore.everyMs);
  });

  async function close(): Promise<void> {
    for (const timer of timers) clearInterval(timer);
    await Promise.all(running);
  }

  return { close };
}
