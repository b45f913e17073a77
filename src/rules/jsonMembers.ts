import { afterSpace, endOfString, endOfValue } from './jsonScan.ts';

/** A field as it is written: its name with quotes and escapes, and its value. */
export interface Member {
  key: string;
  value: string;
}

/**
 * The fields of an object by their names, the last one where a name comes twice; null for any other value. The text must
 * be valid JSON; nothing of it is parsed but names, so that no number changes.
 */
export function membersOf(text: string): Map<string, Member> | null {
  let at = afterSpace(text, 0);
  if (text.charCodeAt(at) !== OPEN) return null;
  const members = new Map<string, Member>();
  at = afterSpace(text, at + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const nameEnd = endOfString(text, at);
    const colon = text.indexOf(':', nameEnd);
    const key = text.slice(at, nameEnd);
    const end = endOfValue(text, colon + 1);
    members.set(nameOf(key), { key, value: text.slice(colon + 1, end).trim() });
    at = afterSpace(text, end + 1);
  }
  return members;
}

/** The elements of an array as they are written; null for any other value. The text must be valid JSON. */
export function elementsOf(text: string): string[] | null {
  let at = afterSpace(text, 0);
  if (text.charCodeAt(at) !== BRACKET) return null;
  const elements: string[] = [];
  at = afterSpace(text, at + 1);
  while (at < text.length && text.charCodeAt(at) !== BRACKET + 2) {
    const end = endOfValue(text, at);
    elements.push(text.slice(at, end).trim());
    at = text.charCodeAt(end) === COMMA ? afterSpace(text, end + 1) : end;
  }
  return elements;
}

function nameOf(key: string): string {
  return key.includes('\\') ? (JSON.parse(key) as string) : key.slice(1, -1);
}

const [QUOTE, COMMA, BRACKET, OPEN] = [0x22, 0x2c, 0x5b, 0x7b];
