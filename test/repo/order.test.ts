import { globSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { mix, WAITING } from '../support/order.ts';

const ROOT = join(import.meta.dirname, '../..');
const files = globSync('test/**/*.test.ts', { cwd: ROOT }).map((file) => join(ROOT, file));

test('the order of a run has each file once, and begins with the files that wait longest, two others after each', () => {
  const mixed = mix(files, (file) => file);
  expect(mixed.toSorted()).toEqual(files.toSorted());
  const begin = mixed
    .slice(0, 6)
    .map((file) => WAITING.find((path) => file.includes(`/test/${path}`)));
  expect(begin).toEqual([WAITING[0], undefined, undefined, WAITING[1], undefined, undefined]);
});

test.each(WAITING)('%s, which is put first because it waits, is there', (path) => {
  expect(files.filter((file) => file.includes(`/test/${path}`))).not.toEqual([]);
});
