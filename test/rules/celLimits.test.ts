// no expression over any entry holds the process for long
import { expect, test } from 'vitest';

import { celEntry, CelFault, compileCel } from '../../src/rules/cel.ts';
import { MOST_STEPS } from '../../src/rules/celWork.ts';
import { cpuMsOf } from '../support/cpuTime.ts';

const ones = (count: number) => `[${Array(count).fill(1).join(',')}]`;
const either = (count: number, text: string) => Array(count).fill(text).join(' || ');
/** Doubles a value again and again. */
const doubled = (text: string, times: number, last: string) =>
  Array.from({ length: times }, (_, n) => {
    const before = n === 0 ? text : `a${n - 1}`;
    return `cel.bind(a${n}, ${before} + ${before}, `;
  }).join('') +
  `a${times - 1}.${last}` +
  ')'.repeat(times);

const LIST = `{"l":${ones(500_000)}}`;
const TWO = `{"a":${ones(240_000)},"b":${ones(240_000)}}`;
const TEXT = `{"s":"${'a'.repeat(1_000_000)}","t":"b${'a'.repeat(40_000)}"}`;
const KEYS = `{${Array.from({ length: 90_000 }, (_, n) => `"k${n}":1`).join(',')}}`;
/** One long text, which an expression may take again and again. */
const LONG = `{"s":"${'a'.repeat(500_000)}","l":${ones(80_000)},"m":{"a":1},"n":1}`;
const DEEP = `{"x":${'['.repeat(900)}${']'.repeat(900)},"y":${'['.repeat(900)}${']'.repeat(900)}}`;

/** Expressions that would take from seconds to forever, had their work no end. */
const HOSTILE: [name: string, data: string, text: string][] = [
  ['a loop in a loop', LIST, 'event.data.l.all(x, event.data.l.all(y, x == y))'],
  [
    'four loops in each other',
    LIST,
    'event.data.l.all(a, event.data.l.all(b, event.data.l.all(c, event.data.l.all(d, a == d))))',
  ],
  ['a loop of errors', LIST, 'event.data.l.exists(x, x.a > 1 || x.b > 1)'],
  [
    'a loop of optional fields',
    LIST,
    'event.data.l.all(x, event.data.l[?x * 500000].orValue(1) == 1)',
  ],
  ['a list that is searched often', LIST, either(150, '2 in event.data.l')],
  ['lists that are compared often', TWO, either(80, 'event.data.a != event.data.b')],
  ['a list that is doubled', LIST, doubled('event.data.l', 12, 'size() > 1')],
  ['a text that is doubled', TEXT, doubled('event.data.s', 12, 'contains("b")')],
  ['a long text that is searched for another', TEXT, 'event.data.s.contains(event.data.t)'],
  [
    'a text that is cut into its characters',
    TEXT,
    either(50, 'event.data.s.split("").size() == 3'),
  ],
  ['names that are listed often', KEYS, 'event.data.all(k, event.data.exists(j, true))'],
  ['texts in a loop', LIST, 'event.data.l.map(x, string(x)).join(",").size() > 1'],
  ['durations in a loop', LIST, 'event.data.l.all(x, duration("1h2m3s") == duration("1h2m3s"))'],
  [
    'a long text that is joined with itself',
    LONG,
    'event.data.l.map(x, event.data.s).join("").size() > 1',
  ],
  [
    'a list that is joined by a long text',
    LONG,
    'event.data.l.map(x, "").join(event.data.s).size() > 1',
  ],
  [
    'a long list that is looked up as if it were a name',
    LONG,
    'event.data.l.exists(x, event.data.m[event.data.l] == 2)',
  ],
  [
    'a long list that is looked up where nothing has fields',
    LONG,
    'event.data.l.exists(x, event.data.n[event.data.l] == 2)',
  ],
  [
    'a long list that is looked up as an optional name',
    LONG,
    'event.data.l.exists(x, event.data.m[?event.data.l].hasValue())',
  ],
  [
    'a long list that is searched for among names',
    LONG,
    'event.data.l.exists(x, event.data.l in event.data.m)',
  ],
  [
    'a long list that is to name a field',
    LONG,
    'event.data.l.exists(x, {event.data.l: 1}.size() == 2)',
  ],
  [
    'time zones in a loop',
    LIST,
    'event.data.l.all(x, timestamp("2024-01-15T14:30:45Z").getHours("Asia/Tokyo") == 23)',
  ],
];

test.each(HOSTILE)('%s ends', (_name, data, text) => {
  const compiled = compileCel(text, 'events');
  const entry = celEntry(`{"event":{"data":${data}}}`, 'events');
  expect(entry.variables).toHaveProperty('event');
  const fault = new CelFault(
    `The evaluation took more than ${MOST_STEPS.toLocaleString('en')} steps.`,
  );
  const times = [1, 2, 3].map(() =>
    cpuMsOf(() => expect(() => compiled.evaluate(entry)).toThrow(fault)),
  );
  // Some 50 ms.
  expect(Math.min(...times)).toBeLessThan(250);
});

test('values that are nested deeply are not compared', () => {
  const entry = celEntry(`{"event":{"data":${DEEP}}}`, 'events');
  for (const text of ['event.data.x == event.data.y', 'event.data.x in event.data.y']) {
    expect(() => compileCel(text, 'events').evaluate(entry)).toThrow(
      new CelFault("Values that are nested more than 100 levels deep can't be compared."),
    );
  }
  expect(compileCel('size(event.data.x) == 1', 'events').evaluate(entry)).toBe(true);
});

test('a long text is no duration', () => {
  const entry = celEntry(`{"event":{"data":"${'1'.repeat(900_000)}s"}}`, 'events');
  expect(() =>
    compileCel('duration(event.data) > duration("1s")', 'events').evaluate(entry),
  ).toThrow(new CelFault('A duration has at most 64 characters.'));
});

test('the work of an evaluation is counted by itself, not with that of others', () => {
  const compiled = compileCel('event.data.all(x, x == 1)', 'events');
  const entry = celEntry(`{"event":{"data":${ones(50_000)}}}`, 'events');
  for (let times = 0; times < 10; times++) expect(compiled.evaluate(entry)).toBe(true);
});

test('the same expression and entry always take the same steps', () => {
  const most = (text: string): number => {
    let [fits, exceeds] = [1, 500_000];
    const compiled = compileCel(text, 'events');
    while (exceeds - fits > 1) {
      const middle = Math.floor((fits + exceeds) / 2);
      try {
        compiled.evaluate(celEntry(`{"event":{"data":${ones(middle)}}}`, 'events'));
        fits = middle;
      } catch {
        exceeds = middle; // the only fault that this expression can have
      }
    }
    return fits;
  };
  expect(most('event.data.all(x, x == 1)')).toBe(most('event.data.all(x, x == 1)'));
});

test('a large entry is parsed quickly also where an integer must stay exact', () => {
  const times = [1, 2, 3].map(() => {
    const entry = celEntry(
      `{"event":{"data":{"i":12345678901234567,"l":${ones(500_000)}}}}`,
      'events',
    );
    return cpuMsOf(() =>
      expect(entry.variables['event']).toHaveProperty('data.i', 12_345_678_901_234_567n),
    );
  });
  expect(Math.min(...times)).toBeLessThan(400);
});

test('chains of operators may be as long as the text', () => {
  const entry = celEntry('{"event":{"data":1}}', 'events');
  expect(compileCel(either(450, 'false'), 'events').evaluate(entry)).toBe(false);
  expect(compileCel(`${'!'.repeat(900)}true`, 'events').evaluate(entry)).toBe(true);
});

/** Data at which JavaScript itself throws, in ways that the library does not foresee. */
const UNFORESEEN = {
  at: '2026-01-01T00:00:00Z',
  zone: 'Mars/Secret',
  ages: '99999999999999999h',
  odd: { toString: 1, valueOf: 1 },
  m: { a: 1 },
  n: 1,
  name: 'constructor',
};

test.each([
  'timestamp(event.data.at).getHours(event.data.zone) == 1',
  'timestamp(event.data.at).getDayOfYear(event.data.zone) == 1',
  '(timestamp(event.data.at) + duration(event.data.ages)).getFullYear() == 1',
  'timestamp(event.data.at) - (timestamp(event.data.at) + duration(event.data.ages)) == duration("1s")',
  'event.data.m[event.data.odd] == 1',
  'event.data.n[event.data.odd] == 1',
  'event.data.m[?event.data.odd].hasValue()',
  'event.data.odd in event.data.m',
  '{event.data.odd: 1}.size() == 1',
  '{event.data.name: 1}.size() == 1',
])(
  '%s is a fault of the entry, which says nothing of its data, and no matter where it does not matter',
  (text) => {
    const entry = celEntry(JSON.stringify({ event: { data: UNFORESEEN } }), 'events');
    let thrown: unknown;
    try {
      compileCel(text, 'events').evaluate(entry);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(CelFault);
    expect((thrown as CelFault).message).toMatch(/ \(line 1, column \d+\)\.$/u);
    expect((thrown as CelFault).message).not.toMatch(/Secret|99999/u);
    expect(compileCel(`${text} || true`, 'events').evaluate(entry)).toBe(true);
  },
);
