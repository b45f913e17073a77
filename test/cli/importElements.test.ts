import fc from 'fast-check';
import { expect, test } from 'vitest';

import { createElementFinder, type Element } from '../../src/cli/importElements.ts';

interface Found {
  elements: Element[];
  texts: string[];
  fault: string | null;
}

/** The elements of a text from an offset on, in parts of so many bytes. */
function find(text: string, { size = 7, from = 0 } = {}): Found {
  const bytes = Buffer.from(text);
  const finder = createElementFinder(from);
  const elements: Element[] = [];
  for (let at = from; at < bytes.length && finder.fault === null; at += size) {
    elements.push(...finder.take(bytes.subarray(at, at + size)));
  }
  if (finder.fault === null) elements.push(...finder.end());
  const texts = elements.map(({ start, end }) => bytes.subarray(start, end).toString().trim());
  return { elements, texts, fault: finder.fault };
}

test('the elements of an array are found whatever they contain and wherever the chunks of bytes end', () => {
  const sizes = fc.integer({ min: 1, max: 40 });
  const property = fc.property(
    fc.array(fc.jsonValue()),
    fc.nat(3),
    sizes,
    (values, indent, size) => {
      const { texts, fault } = find(JSON.stringify(values, null, indent), { size });
      expect(fault).toBeNull();
      const again = texts.map((text) => JSON.stringify(JSON.parse(text)));
      expect(again).toEqual(values.map((value) => JSON.stringify(value)));
    },
  );
  fc.assert(property);
});

const TORN = 'has a quote that is not closed in its line';
const OPEN = 'opens a bracket that is not closed, so that it reaches to the end of the array';

const BROKEN: [text: string, elements: string[], fault?: string][] = [
  ['[{"a":tru},{"b":1}]', ['{"a":tru}', '{"b":1}']],
  ['[{"a":[1,2},{"b":1}]', ['{"a":[1,2}', '{"b":1}']],
  ['[{"a":1]},{"b":1}]', ['{"a":1]}', '{"b":1}']],
  ['[{"a":1]]},{"b":1}]', ['{"a":1]]}', '{"b":1}']],
  ['[1, 2}, 3]', ['1', '2}', '3']],
  ['[{"a":1}},{"b":1}]', ['{"a":1}}', '{"b":1}']],
  ['[{"a":1},{"b":1]\n', ['{"a":1}', '{"b":1'], OPEN],
  ['[{"a":1},{"b":[2,{"c":3},4]]', ['{"a":1}', '{"b":[2,{"c":3},4]'], OPEN],
  ['[{"a":1} {"b":2}, 3]', ['{"a":1} {"b":2}', '3']],
  ['[1,,2,]', ['1', '2']],
  ['[{"a":"x\ny"},{"b":1}]', ['{"a":"x\ny"}', '{"b":1}']],
  ['[{"a":"\\"]}\\\\"},{"b":1}]', ['{"a":"\\"]}\\\\"}', '{"b":1}']],
  ['[\n {"a":"x},\n {"b":1},\n {"c":2}\n]\n', ['{"a":"x},', '{"b":1}', '{"c":2}'], TORN],
  ['[\r\n{"a":"x\\\r\n{"b":1}\r\n]', ['{"a":"x\\', '{"b":1}'], TORN],
  ['[\n{"a":1},\n{"b":"x}\n]', ['{"a":1}', '{"b":"x}'], TORN],
  ['[\n[1,"x],\n[2]\n]', ['[1,"x],', '[2]'], TORN],
  [
    '[\n  {\n    "a": "x,\n    "b": [\n      {}\n    ]\n  },\n  {\n    "c": 2\n  }\n]',
    ['{\n    "a": "x,\n    "b": [\n      {}\n    ]\n  },', '{\n    "c": 2\n  }'],
    TORN,
  ],
];

test.each(BROKEN)('a fault in %j costs only the element that has it', (text, expected, why) => {
  const { elements, texts, fault } = find(text);
  expect({ texts, fault }).toEqual({ texts: expected, fault: null });
  const faults = elements.flatMap((one) => one.fault ?? []);
  expect(faults).toEqual(why === undefined ? [] : [why]);
});

test.each(BROKEN)('reading %j continues after each element as if it had not ended', (text) => {
  const whole = find(text, { size: 1 });
  for (const [index, { next }] of whole.elements.entries()) {
    const rest = find(text, { from: next, size: 3 });
    expect(rest).toEqual({
      elements: whole.elements.slice(index + 1),
      texts: whole.texts.slice(index + 1),
      fault: null,
    });
  }
});

test.each<[string, string[], string]>([
  ['[{"a":1},{"b":', ['{"a":1}'], 'it ends before the array does'],
  [
    '[{"a":1},{"b":"x}]',
    ['{"a":1}'],
    'it ends before the array does, within a quote that is not closed',
  ],
  ['[\n[1,"x],\n{}\n]', [], 'it ends before the array does, within a quote that is not closed'],
  ['[1] [2]', ['1'], 'there is something after the array'],
  ['{"a":1}', [], 'it is not an array'],
  ['', [], 'it ends before the array does'],
])('%j can be read only up to a certain element', (text, elements, fault) => {
  expect(find(text)).toMatchObject({ texts: elements, fault });
});

test('half a million unmatched brackets are read one by one', () => {
  const many = 500_000;
  const size = 65_536;
  const [braces, brackets] = [
    `[${'{'.repeat(many)}${']'.repeat(many)}`,
    `[${'['.repeat(many)}${'}'.repeat(many)}`,
  ];
  const one = find(braces, { size });
  expect([one.elements.map(({ end }) => end), one.fault]).toEqual([[2 * many], null]);
  const none = find(brackets, { size });
  expect([none.elements, none.fault]).toEqual([[], 'it ends before the array does']);
});
