import { afterSpace, endOfString } from '../rules/jsonScan.ts';

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

/** A field as it is written: its name with quotes and escapes, and its value. */
interface Member {
  key: string;
  value: string;
}

/** The fields of an object by their names, the last one where a name comes twice; null for any other value. */
function membersOf(text: string): Map<string, Member> | null {
  let at = afterSpace(text, 0);
  if (text.charCodeAt(at) !== OPEN) return null;
  const members = new Map<string, Member>();
  at = afterSpace(text, at + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const nameEnd = endOfString(text, at);
    const colon = text.indexOf(':', nameEnd);
    const key = text.slice(at, nameEnd);
    const end = endOfValue(text, colon + 1);
    members.set(JSON.parse(key) as string, { key, value: text.slice(colon + 1, end).trim() });
    at = afterSpace(text, end + 1);
  }
  return members;
}

/** The index of the comma or brace that follows the value which begins at `start`. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) {
      at = endOfString(text, at);
      continue;
    }
    if (depth === 0 && (char === COMMA || char === CLOSE)) return at;
    if (char === OPEN || char === BRACKET) depth++;
    else if (char === CLOSE || char === BRACKET + 2) depth--; // } and ]
    at++;
  }
  return at;
}

const [QUOTE, COMMA, BRACKET, OPEN, CLOSE] = [0x22, 0x2c, 0x5b, 0x7b, 0x7d];
