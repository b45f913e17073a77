import { hasEscapedName, parseByNames } from '../rules/escapedNames.ts';

/** A number whose text would change if it became a double; `JSON.stringify` gives the text back. */
interface RawNumber {
  rawJSON: string;
}

/** TC39 "JSON.parse source text access", in V8 since Node 21; TypeScript's library lacks it. */
const sources = JSON as unknown as {
  parse(text: string, reviver: (key: string, value: unknown, context: Context) => unknown): unknown;
  rawJSON(text: string): RawNumber;
  isRawJSON(value: unknown): value is RawNumber;
};
interface Context {
  source?: string;
}

/** Finds numbers of 16 digits or more, or with an exponent; a double holds any number of up to 15 digits. */
const LONG_NUMBER = /(?:^|[[,:])\s*-?(?:[\d.]{16}|[\d.]+[eE])/u;

/** What is nested deeper is refused, so that names in it do not matter. */
const DEEPEST = 1_000;

/**
 * A `JSON.parse` that never rounds: numbers that a double cannot hold are kept as their text, so
 * that `JSON.stringify` of the result has the same values. Throws a SyntaxError, as `JSON.parse` does.
 */
export function parseJson(text: string): unknown {
  const parsed = LONG_NUMBER.test(text) ? sources.parse(text, keepNumber) : JSON.parse(text);
  return hasEscapedName(text) && !isDeeperThan(text, DEEPEST)
    ? parseByNames(text, (source) => keepNumber('', Number(source), { source }))
    : parsed;
}

/** Whether two parsed values are the same JSON value: 1.0 equals 1, and the order of keys does not matter. */
export function equalJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (sources.isRawJSON(a) || sources.isRawJSON(b)) {
    return (
      sources.isRawJSON(a) && sources.isRawJSON(b) && decimal(a.rawJSON) === decimal(b.rawJSON)
    );
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((value, index) => equalJson(value, b[index]))
    );
  }
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && equalJson(field(a, key), field(b, key)))
  );
}

/** The parsed value if it is an object; null for arrays, scalars and numbers kept as text. */
export function jsonObject(value: unknown): Record<string, unknown> | null {
  if (typeof value !== 'object' || value === null) return null;
  return Array.isArray(value) || sources.isRawJSON(value)
    ? null
    : (value as Record<string, unknown>);
}

function field(value: object, key: string): unknown {
  return (value as Record<string, unknown>)[key];
}

function keepNumber(_key: string, value: unknown, { source }: Context): unknown {
  if (typeof value !== 'number' || source === undefined) return value;
  const printed = String(value);
  if (printed === source || decimal(printed) === decimal(source)) return value;
  return sources.rawJSON(source);
}

/** A text that is equal for equal values: sign, digits without zeros at either end, and power of ten. */
function decimal(text: string): string {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/u.exec(text);
  if (parts === null) return text; // Infinity
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = parts;
  const digits = whole + fraction;
  let start = 0;
  let end = digits.length;
  while (start < end && digits[start] === '0') start++;
  while (end > start && digits[end - 1] === '0') end--;
  if (start === end) return '0';
  // No real number has an exponent of more than 30 digits; computing with one would only cost time.
  const power = exponent.length > 30 ? exponent : BigInt(exponent) + BigInt(whole.length - end);
  return `${sign}${digits.slice(start, end)}e${power}`;
}

/** Whether arrays and objects in a JSON text are nested deeper than `levels`; counts without recursion. */
export function isDeeperThan(text: string, levels: number): boolean {
  if (text.length <= 2 * levels) return false;
  let depth = 0;
  let quoted = false;
  for (let index = 0; index < text.length; index++) {
    const char = text.charCodeAt(index);
    if (quoted) {
      if (char === BACKSLASH) index++;
      else if (char === QUOTE) quoted = false;
    } else if (char === QUOTE) quoted = true;
    else if (char === BRACKET || char === BRACE) {
      depth++;
      if (depth > levels) return true;
    } else if (char === BRACKET + 2 || char === BRACE + 2) depth--; // ] and }
  }
  return false;
}

const [QUOTE, BACKSLASH, BRACKET, BRACE] = [0x22, 0x5c, 0x5b, 0x7b];
