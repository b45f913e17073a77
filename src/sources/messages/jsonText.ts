import { endOfString } from '../../rules/jsonScan.ts';

const [QUOTE, COMMA, MINUS] = [0x22, 0x2c, 0x2d];
const [BRACKET, BRACE] = [0x5b, 0x7b];
const [LETTER_I, LETTER_N] = [0x49, 0x4e];

/** What Python's json prints for numbers that JSON does not have. */
const NO_NUMBERS = ['NaN', 'Infinity', '-Infinity'];

/** The members of a JSON object, each with the text of its value; of a repeated name the last one. */
export type Members = ReadonlyMap<string, string>;

/** A text that is a JSON object. */
export interface ObjectText {
  members: Members;
  /** How many values that JSON does not have became null. */
  nulled: number;
}

/**
 * Checks that a text is a JSON object and cuts it into its members, whose texts stay as they are; only NaN,
 * Infinity and -Infinity, which JSON does not have, become null and are counted. Null for any other text.
 */
export function readObject(text: string): ObjectText | null {
  if (isJson(text)) return withMembers(text, 0);
  const mended = withoutNoNumbers(text);
  return mended.nulled > 0 && isJson(mended.text) ? withMembers(mended.text, mended.nulled) : null;
}

/** The members of a text that is valid JSON; null when it is not an object. */
export function membersOf(text: string): Members | null {
  let at = afterBlanks(text, 0);
  if (text.charCodeAt(at) !== BRACE) return null;
  const members = new Map<string, string>();
  at = afterBlanks(text, at + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const nameEnd = endOfString(text, at);
    const name = textOf(text.slice(at, nameEnd))!;
    const start = afterBlanks(text, afterBlanks(text, nameEnd) + 1); // after the colon
    const end = endOfValue(text, start);
    members.set(name, text.slice(start, end));
    at = afterBlanks(text, end);
    if (text.charCodeAt(at) === COMMA) at = afterBlanks(text, at + 1);
  }
  return members;
}

/** The string that a JSON text stands for; null when it stands for something else, or for nothing. */
export function textOf(json: string | undefined): string | null {
  if (json === undefined || json.charCodeAt(0) !== QUOTE) return null;
  return json.includes('\\') ? (JSON.parse(json) as string) : json.slice(1, -1);
}

/** Whether a member is given and not null. */
export function isGiven(json: string | undefined): json is string {
  return json !== undefined && json !== 'null';
}

function withMembers(text: string, nulled: number): ObjectText | null {
  const members = membersOf(text);
  return members === null ? null : { members, nulled };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // not JSON, or nested deeper than the stack allows
  }
}

function withoutNoNumbers(text: string): { text: string; nulled: number } {
  let out = '';
  let kept = 0;
  let nulled = 0;
  for (let at = 0; at < text.length;) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) {
      at = endOfString(text, at);
      continue;
    }
    const mayBe = char === LETTER_N || char === LETTER_I || char === MINUS;
    const word = mayBe ? NO_NUMBERS.find((one) => text.startsWith(one, at)) : undefined;
    if (word === undefined) {
      at++;
      continue;
    }
    out += `${text.slice(kept, at)}null`;
    at += word.length;
    kept = at;
    nulled++;
  }
  return { text: out + text.slice(kept), nulled };
}

function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return endOfString(text, start);
  let depth = 0;
  for (let at = start; at < text.length;) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) {
      at = endOfString(text, at);
      continue;
    }
    const opens = char === BRACKET || char === BRACE;
    const closes = char === BRACKET + 2 || char === BRACE + 2; // ] and }
    if (depth === 0 && !opens && (closes || char === COMMA || isBlank(char))) return at;
    if (opens) depth++;
    else if (closes && --depth === 0) return at + 1;
    at++;
  }
  return text.length;
}

function afterBlanks(text: string, from: number): number {
  let at = from;
  while (isBlank(text.charCodeAt(at))) at++;
  return at;
}

function isBlank(char: number): boolean {
  return char === 0x20 || (char >= 0x09 && char <= 0x0d);
}
