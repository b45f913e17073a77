import fc from 'fast-check';
import { expect, test } from 'vitest';

import { readLines, type Line } from '../../src/sources/messages/lines.ts';

async function read(chunks: Iterable<Uint8Array>, most?: number): Promise<Line[]> {
  const lines: Line[] = [];
  async function* source(): AsyncGenerator<Uint8Array> {
    yield* chunks;
  }
  for await (const some of readLines(source(), most)) lines.push(...some);
  return lines;
}

const bytes = (text: string): Uint8Array => Buffer.from(text);

test('however the bytes are cut into chunks, the lines are the same, with their numbers', async () => {
  const line = fc.string({ unit: 'grapheme' }).map((one) => one.replaceAll(/[\r\n]/gu, ''));
  const ending = fc.constantFrom('\n', '\r\n');
  const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(line),
      ending,
      fc.boolean(),
      cuts,
      async (texts, end, isEnded, at) => {
        const all = bytes(texts.join(end) + (isEnded ? end : ''));
        const places = [0, ...at.map((one) => one % (all.length + 1)), all.length].sort(
          (a, b) => a - b,
        );
        const chunks = places.slice(1).map((to, index) => all.subarray(places[index], to));
        const last = texts.length;
        const expected = texts
          .map((text, index) => ({ number: index + 1, isWhole: isEnded || index + 1 < last, text }))
          .filter(({ text }) => text.trim() !== '')
          .map((one) =>
            one.number === 1 ? { ...one, text: one.text.replace(/^\uFEFF/u, '') } : one,
          )
          .filter(({ text }) => text.trim() !== '');
        expect(await read(chunks)).toEqual(expected);
      },
    ),
  );
});

test('the last line is read without a newline, a byte order mark is no part of the first, blank lines are none', async () => {
  expect(await read([bytes('\uFEFF{"a":1}\n\n \r\n{"b":2}')])).toEqual([
    { number: 1, isWhole: true, text: '{"a":1}' },
    { number: 4, isWhole: false, text: '{"b":2}' },
  ]);
});

test('a line of the most bytes is read, and one more is a fault with which reading ends', async () => {
  const long = 'x'.repeat(10);
  const fault = (number: number, isWhole: boolean) => ({
    number,
    isWhole,
    fault: 'is longer than 10 bytes',
  });
  expect(await read([bytes(`${long}\r\n${long}`)], 10)).toHaveLength(2);
  expect(await read([bytes(`a\n${long}y\nb\n`)], 10)).toEqual([
    { number: 1, isWhole: true, text: 'a' },
    fault(2, true),
  ]);
  expect(await read([bytes('a\n'), bytes(long), bytes('yy'), bytes('\nb')], 10)).toEqual([
    { number: 1, isWhole: true, text: 'a' },
    fault(2, false),
  ]);
});

test('a line without an end is given up as soon as it is too long', async () => {
  let taken = 0;
  function* endless(): Generator<Uint8Array> {
    for (;;) {
      taken += 1_000;
      yield new Uint8Array(1_000).fill(0x78);
    }
  }
  expect(await read(endless(), 10_000)).toEqual([
    { number: 1, isWhole: false, fault: 'is longer than 10000 bytes' },
  ]);
  expect(taken).toBeLessThanOrEqual(12_000);
});

test('bytes that are no UTF-8 are a fault of their line', async () => {
  expect(await read([bytes('a\n'), Buffer.from([0xff, 0x0a]), bytes('b\n')])).toEqual([
    { number: 1, isWhole: true, text: 'a' },
    { number: 2, isWhole: true, fault: 'is not UTF-8' },
  ]);
});
