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
    name: 'all is well: it is written once and not looked for',
    write: ['written'],
    find: [],
    calls: 'write',
    answer: 'written',
  },
  {
    name: 'lost before the commit: nothing is found, and it is written again',
    write: [lost(), 'written'],
    find: [null],
    calls: 'write find write',
    answer: 'written',
  },
  {
    name: 'lost after the commit: it is found, and not written again',
    write: [lost()],
    find: ['found'],
    calls: 'write find',
    answer: 'found',
  },
  {
    name: 'lost during the commit, and again while it is looked for: it is looked for until that is answered',
    write: [lost()],
    find: [lost(), lost(), 'found'],
    calls: 'write find find find',
    answer: 'found',
  },
  {
    name: 'lost again when it is written again: it is looked for again',
    write: [lost(), lost(), 'written'],
    find: [null, lost(), null],
    calls: 'write find write find find write',
    answer: 'written',
  },
  {
    name: 'no room to look: what was written is still in doubt',
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
    name: 'what Postgres refuses is refused immediately',
    write: [refused()],
    find: [],
    calls: 'write',
    error: refused(),
  },
  {
    name: 'out of room it is rolled back for sure, and not looked for',
    write: [outOfRoom()],
    find: [],
    calls: 'write',
    error: outOfRoom(),
  },
  {
    name: 'out of room when it is written again is the same',
    write: [lost(), outOfRoom()],
    find: [null],
    calls: 'write find write',
    error: outOfRoom(),
  },
  {
    name: 'a look-up that Postgres refuses is told',
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

test('while Postgres stays away it is looked for until the time is over, and never written again', async () => {
  const { write, find, calls } = scripted([lost()], [lost()]);
  const started = performance.now();
  await expect(surely(write, find, { ...DOUBT, doubtMs: 30 })).rejects.toThrow(lost());
  expect(performance.now() - started).toBeGreaterThanOrEqual(30);
  expect(calls.slice(0, 2)).toEqual(['write', 'find']);
  expect(calls.filter((one) => one === 'write')).toHaveLength(1);
});

test('a process that closes does not wait: it reports the loss, and the outcome is not known', async () => {
  const closing = new AbortController();
  const { write, find, calls } = scripted([lost()], ['found']);
  const doubt = { ...DOUBT, retryMs: 60_000, signal: closing.signal };
  const written = surely(write, find, doubt);
  setImmediate(() => closing.abort());
  await expect(written).rejects.toThrow(lost());
  expect(calls).toEqual(['write']);
});

test('an append that is written while the process closes is answered all the same, and a doubt is reported immediately', async () => {
  const doubt = { ...DOUBT, signal: AbortSignal.abort() };
  const well = scripted(['written'], []);
  expect(await surely(well.write, well.find, doubt)).toBe('written');
  const bad = scripted([lost()], ['found']);
  await expect(surely(bad.write, bad.find, doubt)).rejects.toThrow(lost());
  expect(bad.calls).toEqual(['write']);
});
