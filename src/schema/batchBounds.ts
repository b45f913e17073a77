const KB = 1_024;

/** The bounds of a consumer's batches; the table of consumers has the same. */
export const BATCH_BOUNDS = {
  max_entries: { min: 2, max: 1_000 },
  max_bytes: { min: KB, max: 8 * KB * KB },
  max_wait_ms: { min: 0, max: 10_000 },
} as const;
