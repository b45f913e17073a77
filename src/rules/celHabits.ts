const PARTS = 'Write .contains("…"), .startsWith("…") or .endsWith("…")';

/** What people write who think of SQL, JavaScript or Python, at the place where CEL stops reading. */
const HABITS: readonly { at?: RegExp; before?: RegExp; write: string }[] = [
  { before: /[=!]=$/u, at: /^=/u, write: 'Write == for equal, and != for not equal' },
  { at: /^=>/u, write: 'Write .exists(x, x > 1), .filter(x, x > 1) or .map(x, x.id)' },
  { at: /^=~/u, write: PARTS },
  { at: /^=/u, write: 'Write == for equal' },
  { before: /<\s*$/u, at: /^>/u, write: 'Write != for not equal' },
  { at: /^(?:and\b|&)/iu, write: 'Write && for “and”' },
  { at: /^(?:or\b|\|)/iu, write: 'Write || for “or”' },
  { at: /^is\s+not\b/iu, write: 'Write != null' },
  { at: /^is\b/iu, write: 'Write == null' },
  { at: /^not\s+in\b/iu, write: 'Write !(… in […])' },
  { before: /\bnot\s+$/iu, write: 'Write ! for “not”' },
  { at: /^i?like\b/iu, write: PARTS },
  { at: /^between\b/iu, write: 'Write … >= 1 && … <= 9' },
  { at: /^I[Nn]\b/u, write: 'Write in with small letters, and a list: … in ["a", "b"]' },
  { before: /\bin\s*\([^()]*$/iu, at: /^,/u, write: 'Write a list in brackets: ["a", "b"]' },
  { before: /\?$/u, at: /^\./u, write: 'Write .? for a field that may be missing' },
  { before: /\?$/u, at: /^\?/u, write: 'Write .?field.orValue(…) for a value in its place' },
  { at: /^[“”„‘’`]/u, write: 'Write texts in straight quotes: "…" or \'…\'' },
  { before: /\.\s*$/u, at: /^in\b/u, write: 'Write ["in"] for a field of this name' },
  { at: /^\$/u, write: 'Write a field as event.data.total, or record.data.total' },
  { at: /^;/u, write: 'An expression ends without a semicolon' },
];

/** What CEL writes for what stands in `text` at `index`, as a sentence without its full stop; null: nothing is known. */
export function habitAt(text: string, index: number): string | null {
  const [before, rest] = [text.slice(0, index), text.slice(index)];
  const found = HABITS.find(
    (one) => (one.before?.test(before) ?? true) && (one.at?.test(rest) ?? true),
  );
  return found?.write ?? null;
}

const VALUES: Record<string, string> = { nil: 'null', none: 'null', undefined: 'null' };
for (const name of ['null', 'true', 'false']) VALUES[name] = name;

/** What CEL writes for a name that is no variable of the stream whose entry is `entry`; null: nothing is known. */
export function nameHabit(
  name: string,
  { before, rest, entry }: { before: string; rest: string; entry: string },
): string | null {
  if (/[{,]\s*$/u.test(before) && /^\s*:/u.test(rest)) return `Write "${name}" in quotes`;
  const value = VALUES[name.toLowerCase()];
  if (value !== undefined) return `Write ${value}`;
  if (name === 'data') return `Write ${entry}.data`;
  // What has fields of the entry is a variable whose name is misspelt.
  const isEntry = /^\s*\.\??\s*(?:data|changes|event|deleted)\b/u.test(rest);
  return isEntry || ENTRIES.has(name)
    ? null
    : `A field of the data is written as ${entry}.data.${name}`;
}

const ENTRIES = new Set(['event', 'record', 'changes']);

const FUNCTIONS: Record<string, string> = {
  includes: 'contains',
  length: 'size',
  len: 'size',
  count: 'size',
  lower: 'lowerAscii',
  toLowerCase: 'lowerAscii',
  upper: 'upperAscii',
  toUpperCase: 'upperAscii',
  strip: 'trim',
  some: 'exists',
  any: 'exists',
  every: 'all',
  toString: 'string',
  Number: 'double',
  float: 'double',
  coalesce: 'orValue',
};
const CLOCKS = new Set(['now', 'today', 'date']);

/** What CEL has in place of a function of this name, as a sentence without its full stop; null: nothing is known. */
export function functionHabit(name: string): string | null {
  if (CLOCKS.has(name)) {
    return 'There is no clock; compare with a time, such as timestamp("2027-01-01T00:00:00Z")';
  }
  return Object.hasOwn(FUNCTIONS, name) ? `Write ${FUNCTIONS[name]}` : null;
}
