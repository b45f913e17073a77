import { expect, test } from 'vitest';

import { surely } from '../../src/streams/certainty.ts';

const never = new AbortController().signal;
const DOUBT = { doubtMs: 60_000, retryMs: 1, signal: never };

const lost = () => new Error('Connection terminated unexpectedly');
const refused = () => Object.assign(new Error('invalid byte sequence'), { code: '22021' });
const outOfRoom = () => Object.assign(new Error('could not extend file'), { code: '53100' });

/** What each call comes to, in order; the last one is repeated. */
type Script = (string | null | Error)[];

/** A write and a look-up that do what they are told and note that they were called. */
function scripted(write: Script, find: Script) {
  const calls: string[] = [];
  const playing =
    <T>(name: string, script: Script) =>
    async (): Promise<T> => {
      calls.push(name);
      const next = script.length > 1 ? script.shift() : script[0];
      if (next instanceof Error) throw next;
      return next as T;
    };
  return {
    calls,
    write: playing<string>('write', write),
    find: playing<string | null>('find', find),
  };
}

test.each<{ name: string; write: Script; find: Script; calls: string; answer: string }>([
  {
    name: 'without a fault the append is written once and not looked up',
    write: ['written'],
    find: [],
    calls: 'write',
    answer: 'written',
  },
  {
    name: 'lost before the commit: nothing is found, and the append is written again',
    write: [lost(), 'written'],
    find: [null],
    calls: 'write find write',
    answer: 'written',
  },
  {
    name: 'lost after the commit: the append is found, and not written again',
    write: [lost()],
    find: ['found'],
    calls: 'write find',
    answer: 'found',
  },
  {
    name: 'lost during the commit and during the look-up: this is repeated until it is answered',
    write: [lost()],
    find: [lost(), lost(), 'found'],
    calls: 'write find find find',
    answer: 'found',
  },
  {
    name: 'lost again when it is written again: the append is looked up again',
    write: [lost(), lost(), 'written'],
    find: [null, lost(), null],
    calls: 'write find write find find write',
    answer: 'written',
  },
  {
    name: 'no room for the look-up: the outcome of the append stays unknown',
    write: [lost()],
    find: [outOfRoom(), 'found'],
    calls: 'write find find',
    answer: 'found',
  },
])('$name', async ({ write, find, calls, answer }) => {
  const script = scripted(write, find);
  expect(await surely(script.write, script.find, DOUBT)).toBe(answer);
  expect(script.calls.join(' ')).toBe(calls);
});

test.each<{ name: string; write: Script; find: Script; calls: string; error: Error }>([
  {
    name: 'an append that Postgres refuses is refused immediately',
    write: [refused()],
    find: [],
    calls: 'write',
    error: refused(),
  },
  {
    name: 'for lack of room it was certainly rolled back, and is not looked up',
    write: [outOfRoom()],
    find: [],
    calls: 'write',
    error: outOfRoom(),
  },
  {
    name: 'a lack of room when it is written again is handled alike',
    write: [lost(), outOfRoom()],
    find: [null],
    calls: 'write find write',
    error: outOfRoom(),
  },
  {
    name: 'a look-up that Postgres refuses is reported',
    write: [lost()],
    find: [refused()],
    calls: 'write find',
    error: refused(),
  },
])('$name', async ({ write, find, calls, error }) => {
  const script = scripted(write, find);
  await expect(surely(script.write, script.find, DOUBT)).rejects.toThrow(error);
  expect(script.calls.join(' ')).toBe(calls);
});

test('while Postgres stays away the append is looked up until the time is over, and never written again', async () => {
  const { write, find, calls } = scripted([lost()], [lost()]);
  const started = performance.now();
  await expect(surely(write, find, { ...DOUBT, doubtMs: 30 })).rejects.toThrow(lost());
  expect(performance.now() - started).toBeGreaterThanOrEqual(30);
  expect(calls.slice(0, 2)).toEqual(['write', 'find']);
  expect(calls.filter((one) => one === 'write')).toHaveLength(1);
});

test('a process that closes does not wait: it reports the lost connection, and the outcome stays unknown', async () => {
  const closing = new AbortController();
  const { write, find, calls } = scripted([lost()], ['found']);
  const doubt = { ...DOUBT, retryMs: 60_000, signal: closing.signal };
  const written = surely(write, find, doubt);
  setImmediate(() => closing.abort());
  await expect(written).rejects.toThrow(lost());
  expect(calls).toEqual(['write']);
});

test('an append that is written while the process closes is answered all the same, and an unknown outcome is reported immediately', async () => {
  const doubt = { ...DOUBT, signal: AbortSignal.abort() };
  const well = scripted(['written'], []);
  expect(await surely(well.write, well.find, doubt)).toBe('written');
  const bad = scripted([lost()], ['found']);
  await expect(surely(bad.write, bad.find, doubt)).rejects.toThrow(lost());
  expect(bad.calls).toEqual(['write']);
});
