import { membersOf } from '../rules/jsonMembers.ts';

/**
 * The JSON text of a stored object with the top-level fields of a given one put over it. Values are copied as their
 * text and never parsed, so that no number changes; fields keep their order, and new ones follow. If the stored text
 * is no object, there are no fields to keep, and the result is the given text. Both must be valid JSON.
 */
export function mergeJson(stored: string, given: string): string {
  const [before, over] = [membersOf(stored), membersOf(given)];
  if (before === null || over === null) return given;
  for (const [name, { key, value }] of over) {
    before.set(name, { key: before.get(name)?.key ?? key, value });
  }
  return `{${[...before.values()].map(({ key, value }) => `${key}:${value}`).join(',')}}`;
}
