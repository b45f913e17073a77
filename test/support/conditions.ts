import fc from 'fast-check';

/** A condition over the data of events, and what it says of some data as CEL has it; 'error': it can't be evaluated. */
export interface ReferenceCondition {
  text: string;
  valueFor(data: SomeData): Truth;
}
export type Truth = boolean | 'error';

/** Data of an event. Numbers are kept as they are written, so that nothing rounds them. */
export type SomeData = Record<string, SomeValue>;
export type SomeValue = string | boolean | null | { number: string } | SomeValue[];

const NAMES = ['a', 'b', 'c', 'constructor'];
const NUMBERS = [
  '0',
  '1',
  '-1',
  '2',
  '2.0',
  '2.5',
  '1e1',
  '10',
  '9007199254740992',
  '9007199254740993',
];
const TEXTS = ['', 'x', 'xy', '2', 'é"\\'];

const number = fc.constantFrom(...NUMBERS);
const text = fc.constantFrom(...TEXTS);
const name = fc.constantFrom(...NAMES);
const scalar: fc.Arbitrary<SomeValue> = fc.oneof(
  { weight: 5, arbitrary: number.map((written) => ({ number: written })) },
  { weight: 2, arbitrary: text },
  fc.boolean(),
  fc.constant(null),
);
const value: fc.Arbitrary<SomeValue> = fc.oneof(
  { weight: 4, arbitrary: scalar },
  fc.array(scalar, { maxLength: 4 }),
);

/** Data in which any field may be missing. */
export const someData: fc.Arbitrary<SomeData> = fc
  .array(fc.tuple(name, value), { minLength: 3, maxLength: 6 })
  .map((fields) => Object.fromEntries<SomeValue>(fields));

/** Data as JSON, with its numbers as they are written. */
export function jsonOf(data: SomeData | SomeValue): string {
  if (typeof data !== 'object' || data === null) return JSON.stringify(data);
  if (Array.isArray(data)) return `[${data.map(jsonOf).join(',')}]`;
  if (typeof data['number'] === 'string') return data['number'];
  const fields = Object.entries(data).map(([key, one]) => `${JSON.stringify(key)}:${jsonOf(one)}`);
  return `{${fields.join(',')}}`;
}

type Compare = '<' | '<=' | '>' | '>=';
const compares = fc.constantFrom<Compare>('<', '<=', '>', '>=');

/** Conditions of one operation. */
const atom: fc.Arbitrary<ReferenceCondition> = fc.oneof(
  fc.tuple(name, compares, number).map(([field, by, than]) => ({
    text: `event.data.${field} ${by} ${than}`,
    valueFor: (data: SomeData) => compared(fieldOf(data, field), by, than),
  })),
  fc.tuple(name, fc.constantFrom('==', '!='), scalar).map(([field, by, than]) => ({
    text: `event.data.${field} ${by} ${jsonOf(than)}`,
    valueFor: (data: SomeData) => {
      const found = fieldOf(data, field);
      return found === undefined ? 'error' : isEqual(found, than) === (by === '==');
    },
  })),
  fc.tuple(name, fc.array(scalar, { maxLength: 3 })).map(([field, list]) => ({
    text: `event.data.${field} in ${jsonOf(list)}`,
    valueFor: (data: SomeData) => {
      const found = fieldOf(data, field);
      return found === undefined ? 'error' : list.some((one) => isEqual(found, one));
    },
  })),
  name.map((field) => ({
    text: `has(event.data.${field})`,
    valueFor: (data: SomeData) => fieldOf(data, field) !== undefined,
  })),
  fc.tuple(name, compares, number).map(([field, by, than]) => ({
    text: `event.data.?${field}.orValue(1) ${by} ${than}`,
    valueFor: (data: SomeData) => {
      const found = fieldOf(data, field); // null is a value
      return compared(found === undefined ? { number: '1' } : found, by, than);
    },
  })),
  fc.tuple(name, text).map(([field, start]) => ({
    text: `event.data.${field}.startsWith(${JSON.stringify(start)})`,
    valueFor: (data: SomeData) => {
      const found = fieldOf(data, field);
      return typeof found === 'string' ? found.startsWith(start) : 'error';
    },
  })),
  fc
    .tuple(name, fc.constantFrom('exists', 'all'), compares, number)
    .map(([field, over, by, than]) => ({
      text: `event.data.${field}.${over}(x, x ${by} ${than})`,
      valueFor: (data: SomeData) => {
        const found = fieldOf(data, field);
        if (!Array.isArray(found)) return 'error';
        const each = found.map((one) => compared(one, by, than));
        return over === 'exists' ? each.reduce<Truth>(or, false) : each.reduce<Truth>(and, true);
      },
    })),
  // What is computed is a double, so only small numbers are.
  fc.tuple(name, fc.constantFrom('0', '1', '2'), compares).map(([field, than, by]) => ({
    text: `event.data.${field} * 2 - 1 ${by} ${than}`,
    valueFor: (data: SomeData) => {
      const found = fieldOf(data, field);
      if (!isNumber(found)) return 'error';
      return compared({ number: String(Number(found.number) * 2 - 1) }, by, than);
    },
  })),
);

/** Conditions that are put together from others. */
export const someCondition: fc.Arbitrary<ReferenceCondition> = fc.letrec<{
  tree: ReferenceCondition;
}>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 3, arbitrary: atom },
    tie('tree').map((one) => ({
      text: `!(${one.text})`,
      valueFor: (data: SomeData) => {
        const truth = one.valueFor(data);
        return truth === 'error' ? truth : !truth;
      },
    })),
    fc.tuple(tie('tree'), fc.constantFrom('&&', '||'), tie('tree')).map(([left, by, right]) => ({
      text: `(${left.text}) ${by} (${right.text})`,
      valueFor: (data: SomeData) =>
        (by === '&&' ? and : or)(left.valueFor(data), right.valueFor(data)),
    })),
    fc.tuple(tie('tree'), tie('tree'), tie('tree')).map(([asked, yes, no]) => ({
      text: `((${asked.text}) ? (${yes.text}) : (${no.text}))`,
      valueFor: (data: SomeData) => {
        const truth = asked.valueFor(data);
        return truth === 'error' ? truth : (truth ? yes : no).valueFor(data);
      },
    })),
  ),
})).tree;

function fieldOf(data: SomeData, field: string): SomeValue | undefined {
  return Object.hasOwn(data, field) ? data[field] : undefined;
}

function isNumber(one: SomeValue | undefined): one is { number: string } {
  return typeof one === 'object' && one !== null && !Array.isArray(one);
}

/** Integers are as exact as they are written; other numbers are doubles. */
function numberOf(written: string): number | bigint {
  return /^-?\d+$/u.test(written) ? BigInt(written) : Number(written);
}

function compared(one: SomeValue | undefined, by: Compare, than: string): Truth {
  if (!isNumber(one)) return 'error';
  const [left, right] = [numberOf(one.number), numberOf(than)];
  if (by === '<') return left < right;
  if (by === '<=') return left <= right;
  return by === '>' ? left > right : left >= right;
}

function isEqual(a: SomeValue, b: SomeValue): boolean {
  if (isNumber(a) && isNumber(b)) {
    // oxlint-disable-next-line eqeqeq -- an integer and a double may be equal
    return numberOf(a.number) == numberOf(b.number);
  }
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((one, index) => isEqual(one, b[index] ?? null));
  return a === b;
}

function and(a: Truth, b: Truth): Truth {
  if (a === false || b === false) return false;
  return a === 'error' || b === 'error' ? 'error' : true;
}

function or(a: Truth, b: Truth): Truth {
  if (a === true || b === true) return true;
  return a === 'error' || b === 'error' ? 'error' : false;
}
