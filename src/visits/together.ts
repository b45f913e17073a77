/** Collects calls that are made within a moment, and processes them together. */
export interface TogetherOptions<T, R> {
  /** Processes all items, and returns one result for each of them, in order. */
  run: (items: T[]) => Promise<R[]>;
  /** How long further calls may join, ms. */
  waitMs: number;
  /** The largest number of items that are processed together. */
  most: number;
}

/**
 * Returns a function that processes an item together with those of other calls, by `run`, and resolves with its
 * result. If `run` rejects, so do all calls whose items it got.
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
