/** Collects what is asked for within a moment, and has it done together. */
export interface TogetherOptions<T, R> {
  /** Does all of it, and returns one result for each item, in order. */
  run: (items: T[]) => Promise<R[]>;
  /** How long others may join, ms. */
  waitMs: number;
  /** At most so many are done at a time. */
  most: number;
}

/**
 * Returns a function that has `run` do an item together with those of other calls, and resolves with its
 * result. If `run` rejects, so do all calls of that time.
 */
export function together<T, R>({ run, waitMs, most }: TogetherOptions<T, R>) {
  interface Call {
    item: T;
    result: PromiseWithResolvers<R>;
  }
  let calls: Call[] = [];
  let timer: NodeJS.Timeout | null = null;

  async function runAll(some: Call[]): Promise<void> {
    try {
      const results = await run(some.map(({ item }) => item));
      for (const [index, { result }] of some.entries()) result.resolve(results[index] as R);
    } catch (error) {
      for (const { result } of some) result.reject(error);
    }
  }

  function flush(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    const some = calls;
    calls = [];
    void runAll(some);
  }

  return (item: T): Promise<R> => {
    const result = Promise.withResolvers<R>();
    calls.push({ item, result });
    if (calls.length >= most) flush();
    else timer ??= setTimeout(flush, waitMs);
    return result.promise;
  };
}
