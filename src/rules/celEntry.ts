import type { StreamName } from '../schema/stream.ts';
import { hasEscapedName, parseByNames } from './escapedNames.ts';

/** The entry that an expression looks at; parsed at most once, when the first expression asks for it. */
export interface CelEntry {
  /** `event` and `changes`, or `record`. */
  readonly variables: Readonly<Record<string, unknown>>;
}

/**
 * The body of an entry, `{"event":{…}}` or `{"record":{…}}`, as variables of expressions. Numbers are those that
 * `JSON.parse` gives, except that integers which it would round are BigInts.
 */
export function celEntry(body: string, stream: StreamName): CelEntry {
  let variables: Record<string, unknown> | undefined;
  return {
    get variables() {
      if (variables === undefined) {
        const parsed = parseExactly(body) as Record<string, unknown>;
        const event = parsed['event'] as { changes?: unknown } | undefined;
        variables =
          stream === 'events'
            ? { event, changes: event?.changes ?? null }
            : { record: parsed['record'] };
      }
      return variables;
    },
  };
}

/** Numbers that may be integers beyond 2^53; what looks like one within a string only costs time. */
const LONG_INTEGER = /[[,:]\s*-?\d{16}/u;

function parseExactly(text: string): unknown {
  return LONG_INTEGER.test(text) || hasEscapedName(text)
    ? parseByNames(text, exactNumber)
    : JSON.parse(text);
}

/** What has more digits than any double is infinite, as for `JSON.parse`. */
const MOST_DIGITS = 310;

function exactNumber(source: string): unknown {
  const number = Number(source);
  if (Number.isSafeInteger(number) || source.length > MOST_DIGITS) return number;
  return /^-?\d+$/u.test(source) ? BigInt(source) : number;
}
