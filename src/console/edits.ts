/**
 * The fields of a stored object that a person has changed. Only these are sent, so that changes made by others
 * in the meantime are kept.
 */
export function changedOf<T extends object>(stored: T, edits: Partial<T>): (keyof T)[] {
  const names = Object.keys(edits) as (keyof T)[];
  return names.filter((name) => JSON.stringify(edits[name]) !== JSON.stringify(stored[name]));
}

/** Adds an edit; a field that is as it was stored does not count as edited. */
export function edited<T extends object>(
  stored: T,
  edits: Partial<T>,
  change: Partial<T>,
): Partial<T> {
  const next = { ...edits, ...change };
  return Object.fromEntries(
    changedOf(stored, next).map((name) => [name, next[name]]),
  ) as Partial<T>;
}
