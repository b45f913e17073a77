import { expect, test } from 'vitest';

import { followFullPasses } from '../../src/sources/messages/fullPass.ts';
import type { Message } from '../../src/sources/messages/message.ts';

const STARTED = Date.parse('2026-11-30T10:00:00Z');

const record = (stream: string, version: string | null = null): Message => ({
  kind: 'record',
  stream,
  upstreamId: '1',
  data: '{}',
  deleted: false,
  merge: false,
  version,
  nulled: 0,
});
const activate = (stream: string, version: string): Message => ({
  kind: 'complete',
  stream,
  version,
});
const schema = (stream: string): Message => ({ kind: 'stream', stream, hasStatus: false });
const started = (stream: string): Message => ({ kind: 'stream', stream, hasStatus: true });
const complete = (stream: string): Message => ({ kind: 'complete', stream, version: null });

function ended(isAll: boolean, messages: readonly Message[]) {
  const followed = followFullPasses({ isAll, startedAt: STARTED });
  for (const message of messages) followed.follow(message);
  const { whole, notWhole } = followed.ended();
  return { inPass: [...followed.streams()], whole, not: notWhole.map(({ stream }) => stream) };
}

const nothing = { whole: [], not: [] };
const NOW = String(STARTED + 5_000);

test('an ACTIVATE_VERSION after the last record of its version makes a stream whole', () => {
  expect(ended(false, [schema('a'), record('a', NOW), activate('a', NOW)])).toEqual({
    inPass: ['a'],
    whole: ['a'],
    not: [],
  });
  expect(ended(false, [activate('a', '7'), record('a', '7'), activate('a', '7')]).whole).toEqual([
    'a',
  ]);
});

test.each<[string, Message[]]>([
  ['one before the records', [schema('a'), activate('a', NOW), record('a', NOW)]],
  ['one that a record follows', [record('a', NOW), activate('a', NOW), record('a', NOW)]],
  ['one of another version', [record('a', NOW), activate('a', '8')]],
  ['one without records', [schema('a'), activate('a', NOW), activate('a', NOW)]],
  ['one of another stream', [record('a', NOW), activate('b', NOW)]],
  ['one after records without a version', [record('a'), activate('a', NOW)]],
])('%s says nothing', (_what, messages) => {
  expect(ended(false, messages)).toMatchObject(nothing);
});

test.each([
  ['milliseconds', STARTED - 3_600_000],
  ['seconds', STARTED / 1_000 - 3_600],
  ['microseconds', (STARTED - 3_600_000) * 1_000],
])(
  'a version in %s of an hour ago is one of an interrupted run, of which only the rest came',
  (_unit, value) => {
    const old = String(value);
    expect(ended(false, [record('a', old), activate('a', old)])).toMatchObject({
      whole: [],
      not: ['a'],
    });
  },
);

test('a full pass has all streams that were spoken of, with records or without', () => {
  expect(ended(true, [schema('a'), schema('b'), record('b'), record('c')])).toEqual({
    inPass: ['a', 'b', 'c'],
    whole: ['a', 'b', 'c'],
    not: [],
  });
});

test('a source that tells the status of its streams makes only those whole that it calls complete', () => {
  const messages = [started('a'), record('a'), complete('a'), started('b'), record('b')];
  expect(ended(true, messages)).toEqual({ inPass: ['a', 'b'], whole: ['a'], not: ['b'] });
  expect(ended(false, messages)).toEqual({ inPass: [], ...nothing });
});
