import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { waterfall } from '../../src/cli/waterfall.ts';
import { ATTEMPT_STEPS } from '../../src/schema/attemptSteps.ts';
import { AttemptTimings } from '../../src/schema/attemptTrace.ts';

const TIMINGS: AttemptTimings = {
  lane: 0,
  pace: 100,
  prepare: null,
  connection: 0.24,
  dns: null,
  connect: 99.76,
  tls: null,
  request: 0,
  first_byte: 800,
  body: 0,
};
const plain = (_colour: string, text: string): string => text;
const lines = (width: number | null): string[] => waterfall(TIMINGS, { width, style: plain });

test('each step that took place has a line with its milliseconds, in order', () => {
  expect(lines(null)).toEqual([
    '  waited for its lane        0.0 ms',
    '  waited for its pace      100.0 ms',
    '  waited for a connection    0.2 ms',
    '  connect                   99.8 ms',
    '  request                    0.0 ms',
    '  first byte               800.0 ms',
    '  body                       0.0 ms',
  ]);
});

test('bars show when each step began and ended, and no line is longer than the terminal', () => {
  const bars = lines(57).map((line) => line.slice(37));
  expect(bars).toEqual([
    '▏',
    '██',
    '  ▏',
    '  ██',
    '    ▏',
    `    ${'█'.repeat(16)}`,
    `${' '.repeat(19)}▏`,
  ]);
  for (let width = 1; width < 200; width++) {
    const drawn = lines(width);
    const isDrawn = drawn.some((line) => /[█▏]/u.test(line));
    expect({ width, isDrawn }).toEqual({ width, isDrawn: width >= 47 });
    if (isDrawn) expect(Math.max(...drawn.map((line) => line.length))).toBeLessThanOrEqual(width);
    expect(Math.max(...drawn.map((line) => line.length))).toBeLessThanOrEqual(37 + 60);
  }
});

test('steps that took no time at all have no bars', () => {
  const nothing = { ...TIMINGS, pace: 0, connection: 0, connect: 0, first_byte: 0, body: 0 };
  const drawn = waterfall(nothing, { width: 100, style: plain });
  expect(drawn).toHaveLength(7);
  expect(drawn.join('\n')).not.toMatch(/[█▏]/u);
});

test('bars are coloured by which side took the time, and nothing else is coloured', () => {
  const style = (colour: string, text: string): string => `<${colour}>${text}`;
  const drawn = waterfall(TIMINGS, { width: 60, style });
  expect(drawn.map((line) => /<(\w+)>[█▏]+$/u.exec(line)?.[1])).toEqual([
    'gray',
    'gray',
    'cyan',
    'cyan',
    'yellow',
    'yellow',
    'yellow',
  ]);
});

test('each step that the API has is named once, in its order, and the documentation explains all of them', async () => {
  expect(ATTEMPT_STEPS.map(({ key }) => key)).toEqual(Object.keys(AttemptTimings.shape));
  const text = await readFile(join(import.meta.dirname, '../../docs/cli.md'), 'utf8');
  const table = /^\| step \| is the time \|\n\|---\|---\|\n((?:\|.*\n)+)/mu.exec(text)?.[1] ?? '';
  const rows = [...table.matchAll(/^\| ([^|]+) \|/gmu)];
  const explained = rows.flatMap(([, names = '']) => names.split(', '));
  expect(explained).toEqual(ATTEMPT_STEPS.map(({ name }) => name));
});
