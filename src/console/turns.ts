/** Runs tasks in the order in which they are given, a limited number of them concurrently. */
export type Turns = <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T>;

/** Runs at most `most` tasks concurrently. A task aborted before its turn never runs; its promise then rejects. */
export function createTurns(most: number): Turns {
  const waiting: (() => void)[] = [];
  let running = 0;

  const next = (): void => {
    running -= 1;
    waiting.shift()?.();
  };
  const turn = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const start = (): void => {
        running += 1;
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        waiting.splice(waiting.indexOf(start), 1);
        reject(signal.reason as Error);
      };
      if (running < most) return start();
      signal.addEventListener('abort', leave, { once: true });
      waiting.push(start);
    });

  return async (work, signal) => {
    signal.throwIfAborted();
    await turn(signal);
    try {
      return await work();
    } finally {
      next();
    }
  };
}
