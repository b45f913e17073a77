/**
 * Runs `work` for each item, in order, at most `limit` at a time; resolves when all are done. Rejects with the
 * first error, but still processes the remaining items.
 */
export async function concurrently<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values(); // shared: each worker takes the next item
  const workers = Array.from({ length: Math.min(limit, items.length) }, async () => {
    for (const item of queue) await work(item);
  });
  await Promise.all(workers);
}
