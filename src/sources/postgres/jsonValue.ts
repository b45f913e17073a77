import type { ColumnType } from './columnType.ts';

/** A value whose text is not what its type prints. */
export class ValueError extends Error {}

const NUMBER = /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/u;
const NO_NUMBER = new Set(['NaN', 'Infinity', '-Infinity']);
/** Date, time, and whether the year is before Christ. The zone of the session is UTC, by `SESSION_SQL`. */
const TIME = /^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(\+00)?( BC)?$/u;
const LONGEST_SHOWN = 80;

/**
 * Run first in every session whose texts are turned into JSON, whatever the role or the URL sets: times in UTC, and no
 * digit of a number and no byte lost.
 */
export const SESSION_SQL = `
  set timezone = 'UTC';
  set datestyle = 'ISO';
  set intervalstyle = 'postgres';
  set extra_float_digits = 1;
  set bytea_output = 'hex'`;

/**
 * The JSON text of a value from its text in Postgres. Numbers keep every digit, JSON is taken as it is, arrays become
 * arrays of the same; NaN, the infinities and all other types become strings: times as `to_jsonb` prints them, with
 * `Z` for UTC. Throws a `ValueError` when the text is not of the type.
 */
export function jsonValue(type: ColumnType, text: string): string {
  switch (type.kind) {
    case 'text':
      return JSON.stringify(text);
    case 'number':
      if (NUMBER.test(text)) return text;
      return NO_NUMBER.has(text) ? `"${text}"` : unfit('a number', text);
    case 'bool':
      if (text === 't') return 'true';
      return text === 'f' ? 'false' : unfit('a boolean', text);
    case 'json':
      return text;
    case 'timestamptz':
      return timeValue(text, 'Z');
    case 'timestamp':
      return timeValue(text, '');
    case 'array':
      return arrayValue(type, text);
  }
}

function timeValue(text: string, zone: '' | 'Z'): string {
  if (text === 'infinity' || text === '-infinity') return `"${text}"`;
  const [, date, time, offset, era = ''] = TIME.exec(text) ?? [];
  const isUtc = offset !== undefined;
  if (date === undefined || isUtc !== (zone === 'Z')) {
    return unfit(zone === 'Z' ? 'a time in UTC' : 'a time without a zone', text);
  }
  return `"${date}T${time}${zone}${era}"`;
}

/** Reads what `array_out` prints: `{1,NULL}`, `{{"a b","c\"d"}}`, `[0:1]={1,2}`, whose bounds JSON has no place for. */
function arrayValue(type: ColumnType & { kind: 'array' }, text: string): string {
  const { element, delimiter } = type;
  let at = text.startsWith('[') ? text.indexOf('=') + 1 : 0;
  const json = list();
  if (at !== text.length) unfit('an array', text);
  return json;

  function list(): string {
    expect('{');
    const items: string[] = [];
    if (text[at] !== '}') {
      items.push(item());
      while (text[at] === delimiter) {
        at += 1;
        items.push(item());
      }
    }
    expect('}');
    return `[${items.join(',')}]`;
  }

  function item(): string {
    if (text[at] === '{') return list();
    if (text[at] === '"') return jsonValue(element, quoted());
    const start = at;
    while (at < text.length && text[at] !== delimiter && text[at] !== '}') at += 1;
    const bare = text.slice(start, at);
    if (bare === '') unfit('an array', text);
    return bare === 'NULL' ? 'null' : jsonValue(element, bare);
  }

  function quoted(): string {
    const start = at + 1;
    let isEscaped = false;
    for (at = start; at < text.length && text[at] !== '"'; at += 1) {
      if (text[at] !== '\\') continue;
      isEscaped = true;
      at += 1;
    }
    const inner = text.slice(start, at);
    expect('"');
    return isEscaped ? inner.replaceAll(/\\([\s\S])/gu, '$1') : inner;
  }

  function expect(character: string): void {
    if (text[at] !== character) unfit('an array', text);
    at += 1;
  }
}

function unfit(what: string, text: string): never {
  const shown = text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
  throw new ValueError(`is not ${what}: ${shown}`);
}
