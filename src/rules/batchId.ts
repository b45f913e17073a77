/** The number of hexadecimal digits at the end of a batch's id. */
const DIGITS = 24;
const BATCH_ID = /^batch_([1-9]\d{0,15})_[\da-f]{24}$/u;

/**
 * The `webhook-id` of a batch, made of the position of its first entry and of a digest in hexadecimal of what is in it. So the
 * attempts of a batch are found by a position, as those of an entry are, and no index of ids is kept up.
 */
export function batchIdOf(first: number, digest: string): string {
  return `batch_${first}_${digest.slice(0, DIGITS)}`;
}

/** The position of the first entry of the batch with this id; null for what is no id of a batch. */
export function firstOfBatch(id: string): number | null {
  const first = Number(BATCH_ID.exec(id)?.[1] ?? NaN);
  return Number.isSafeInteger(first) ? first : null;
}
