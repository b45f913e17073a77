import { afterSpace, endOfString } from './jsonScan.ts';

/** Whether a name of a field is written with an escape anywhere in a valid JSON text. */
export function hasEscapedName(text: string): boolean {
  for (let at = text.indexOf('\\'); at >= 0; at = text.indexOf('\\', at)) {
    at = endOfString(text, at - 1); // from within the string, just before the escape
    if (text.charCodeAt(afterSpace(text, at)) === COLON) return true;
  }
  return false;
}

/**
 * Parses a valid JSON text as `JSON.parse` should. V8 13.6 takes an escaped name for another one that it has parsed
 * before in the same place, if its source text begins with that: after `{"\\":1}` it reads `{"\n":1}` as `{"\\":1}`.
 * Strings by themselves are read correctly, so each name is parsed alone. It recurs once a level.
 */
export function parseByNames(text: string, numberOf: (source: string) => unknown): unknown {
  let at = 0;

  function string(): string {
    const start = at;
    at = endOfString(text, start);
    return JSON.parse(text.slice(start, at)) as string;
  }

  /** Goes on to the next element after a comma; false: the list or object ends. */
  function isMore(): boolean {
    at = afterSpace(text, at);
    return text.charCodeAt(at++) === COMMA;
  }

  /** Whether the list or object that has just begun is empty. */
  function isEmpty(close: number): boolean {
    at = afterSpace(text, at + 1);
    if (text.charCodeAt(at) !== close) return false;
    at++;
    return true;
  }

  function object(): object {
    const made = {};
    if (isEmpty(CLOSE)) return made;
    do {
      at = afterSpace(text, at);
      const name = string();
      at = afterSpace(text, at) + 1;
      const field = { value: value(), writable: true, enumerable: true, configurable: true };
      Object.defineProperty(made, name, field); // __proto__ is a name like others
    } while (isMore());
    return made;
  }

  function list(): unknown[] {
    const made: unknown[] = [];
    if (isEmpty(CLOSE_LIST)) return made;
    do made.push(value());
    while (isMore());
    return made;
  }

  function value(): unknown {
    at = afterSpace(text, at);
    const first = text.charCodeAt(at);
    if (first === OPEN) return object();
    if (first === OPEN_LIST) return list();
    if (first === QUOTE) return string();
    SCALAR.lastIndex = at;
    const source = SCALAR.exec(text)![0];
    at += source.length;
    const word = WORDS.get(source);
    return word === undefined ? numberOf(source) : word;
  }

  return value();
}

const SCALAR = /[\w.+-]+/uy;
const WORDS = new Map([
  ['true', true],
  ['false', false],
  ['null', null],
]);
const [QUOTE, COMMA, COLON, OPEN_LIST, CLOSE_LIST, OPEN, CLOSE] = [
  0x22, 0x2c, 0x3a, 0x5b, 0x5d, 0x7b, 0x7d,
];
