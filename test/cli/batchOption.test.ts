import { expect, test } from 'vitest';

import { batchOption, batchText } from '../../src/cli/batchOption.ts';

test('--batch takes limits in any order and case, with units, and none', () => {
  expect(batchOption('entries=100,bytes=1mb,wait=200ms')).toEqual({
    max_entries: 100,
    max_bytes: 1_048_576,
    max_wait_ms: 200,
  });
  expect(batchOption('wait=2s, BYTES=64KB, entries=2')).toEqual({
    max_entries: 2,
    max_bytes: 65_536,
    max_wait_ms: 2_000,
  });
  expect(batchOption('entries=9,bytes=2048')).toEqual({ max_entries: 9, max_bytes: 2_048 });
  expect(batchOption('entries=1000,wait=0ms')).toEqual({ max_entries: 1_000, max_wait_ms: 0 });
  expect(batchOption('none')).toBe('none');
});

test.each([
  ['', /entries=100,bytes=1mb,wait=200ms/u],
  ['100', /entries=100,bytes=1mb,wait=200ms/u],
  ['constructor=1', /entries=100,bytes=1mb,wait=200ms/u],
  ['bytes=1mb', /how many entries/u],
  ['entries=5,entries=6', /entries twice/u],
  ['entries=1', /entries must be from 2 to 1000/u],
  ['entries=10mb', /entries must be from 2 to 1000/u],
  ['entries=9,bytes=9mb', /bytes must be from 1 KB to 8 MB/u],
  ['entries=9,wait=200', /wait must be from 0 ms to 10000 ms, with a unit, such as wait=200ms\./u],
  ['entries=9,wait=1m', /wait must be from 0 ms to 10000 ms\./u],
  ['entries=-9', /entries must be/u],
])('--batch %s is refused with what it takes', (text, says) => {
  expect(() => batchOption(text)).toThrow(says);
});

test('limits are shown in words', () => {
  expect(batchText({ max_entries: 100, max_bytes: 1_048_576, max_wait_ms: 200 })).toBe(
    'up to 100 entries and 1 MB a request, incomplete ones after 200 ms',
  );
  expect(batchText({ max_entries: 2, max_bytes: 1_500, max_wait_ms: 0 })).toBe(
    'up to 2 entries and 1500 bytes a request, incomplete ones after 0 ms',
  );
});
