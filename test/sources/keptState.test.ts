import { expect, test } from 'vitest';

import { createAirbyteReader } from '../../src/sources/messages/airbyte.ts';
import { createKeptState } from '../../src/sources/messages/keptState.ts';
import type { Reader } from '../../src/sources/messages/message.ts';
import { createSingerReader } from '../../src/sources/messages/singer.ts';

/** What is kept after these lines. */
function kept(read: Reader, lines: readonly string[], before: string | null = null): string | null {
  const state = createKeptState(before);
  for (const line of lines) {
    const message = read(line);
    if (message.kind === 'state') state.add(message);
  }
  return state.text();
}

const of = (name: string, at: string): string =>
  `{"type":"STREAM","stream":{"stream_descriptor":{"name":"${name}"},"stream_state":{"at":${at}}}}`;
const airbyte = (...states: string[]): string[] =>
  states.map((state) => `{"type":"STATE","state":${state}}`);
const source = (): Reader => createAirbyteReader({ keys: new Map() });

test('of a tap the last value is kept, with its text', () => {
  const tap = createSingerReader({ keys: new Map() });
  const line = (value: string): string => `{"type":"STATE","value":${value}}`;
  expect(kept(tap, [])).toBeNull();
  expect(kept(tap, [line('{"a": 1}'), line('{"b": 9007199254740993}')], '{"old": 1}')).toBe(
    '{"b": 9007199254740993}',
  );
});

test('of a source the last state of each stream is kept, also of those that say nothing this time', () => {
  const before = `[ ${of('a', '9007199254740993')} , ${of('b', '1')} ]`;
  expect(kept(source(), airbyte(of('b', '2'), of('c', '3'), of('b', '4.0')), before)).toBe(
    `[${of('a', '9007199254740993')},${of('b', '4.0')},${of('c', '3')}]`,
  );
});

test('a state of all streams takes the place of those of each, and the other way round', () => {
  const all = '{"type":"GLOBAL","global":{"shared_state":{"lsn":1},"stream_states":[]}}';
  expect(kept(source(), airbyte(of('a', '1'), all))).toBe(`[${all}]`);
  expect(kept(source(), airbyte(of('a', '1')), `[${all}]`)).toBe(`[${of('a', '1')}]`);
  expect(kept(source(), airbyte('{"data":{"cursor":1}}'))).toBe('{"cursor":1}');
  expect(kept(source(), airbyte(of('a', '1')), '{}')).toBe(`[${of('a', '1')}]`);
});
