// what a person at a terminal sees of the log of the processes
import { appendFile, mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { wordsOfLog } from '../../src/embedded/logWords.ts';
import { openOwnLog } from '../../src/embedded/ownLog.ts';
import { until } from '../support/poll.ts';

let folder: string;
let file: string;
let said: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-log-'));
  file = join(folder, 'millrace.log');
  said = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const say = (line: string): void => void said.push(line);

function entry(level: string, msg: string, more: object = {}): string {
  return JSON.stringify({
    level,
    time: '2026-11-30T04:00:00.000Z',
    process: 'worker',
    msg,
    ...more,
  });
}

test('a warning and an error of the log are sentences with their fields and causes, and the rest is not said', () => {
  const lost = {
    type: 'Error',
    message: 'terminated',
    code: '57P01',
    stack: 'Error: terminated\n at x',
  };
  expect(wordsOfLog(entry('warn', 'a connection was lost', { err: lost }))).toBe(
    'Warning in the worker: a connection was lost: terminated',
  );
  expect(
    wordsOfLog(entry('error', 'a task failed', { chore: 'retention', count: 3, open: [1] })),
  ).toBe('Error in the worker: a task failed (chore retention, count 3)');
  const cause = { message: 'no such column' };
  const failed = { message: 'migration 7 failed: no such column', cause };
  expect(wordsOfLog(entry('fatal', 'the process ends', { process: 'server', err: failed }))).toBe(
    'Fatal error in the API: the process ends: migration 7 failed: no such column',
  );
  const deep = { message: 'not stored', cause: { message: 'disk full' } };
  expect(wordsOfLog(entry('warn', 'later', { err: deep }))).toBe(
    'Warning in the worker: later: not stored: disk full',
  );
  expect(wordsOfLog(entry('info', 'migrations applied', { applied: ['0001'] }))).toBeNull();
  expect(wordsOfLog(entry('debug', 'x'))).toBeNull();
  expect(wordsOfLog('')).toBeNull();
});

test('what is no line of the log is said as it is, without characters that control a terminal', () => {
  expect(wordsOfLog("SyntaxError: Unexpected token '}'")).toBe("SyntaxError: Unexpected token '}'");
  expect(wordsOfLog('{"not":"ours"}')).toBe('{"not":"ours"}');
  expect(wordsOfLog('{ cut')).toBe('{ cut');
  expect(wordsOfLog('\u001B[31mred')).toBe(' [31mred');
  expect(wordsOfLog(entry('warn', 'red \u001B[31m'))).toBe('Warning in the worker: red  [31m');
});

test('warnings are said as they are written, from where the file ended before, each sentence once in a while', async () => {
  await writeFile(file, `${entry('error', 'of an earlier run')}\n`);
  using log = await openOwnLog(folder, say);
  expect(log.path).toBe(file);
  await appendFile(file, `${entry('warn', 'first: ü')}\n${entry('info', 'quiet')}\n`);
  await until(() => said.length > 0);
  expect(said).toEqual(['Warning in the worker: first: ü']);
  const [begin, end] = [entry('warn', 'second').slice(0, 20), entry('warn', 'second').slice(20)];
  await appendFile(file, `${entry('warn', 'first: ü')}\n${begin}`);
  log.say('then');
  await appendFile(file, `${end}\n`);
  log.say('at last');
  expect(said.slice(1)).toEqual(['then', 'Warning in the worker: second', 'at last']);
});

test('what was written last is said at the end, also without a line end, and a file that was emptied is read anew', async () => {
  const log = await openOwnLog(folder, say);
  await appendFile(file, `${entry('warn', 'a long line that is gone')}\n`);
  log.say('1');
  await truncate(file);
  log.say('2');
  await appendFile(file, `${entry('warn', 'new')}\nno line end`);
  log[Symbol.dispose]();
  expect(said).toEqual([
    'Warning in the worker: a long line that is gone',
    '1',
    '2',
    'Warning in the worker: new',
    'no line end',
  ]);
  log.say('afterwards');
  expect(said.at(-1)).toBe('afterwards');
});

test('a log that has grown beyond 10 MB is emptied at the next start', async () => {
  await writeFile(file, 'x'.repeat(10 * 1024 * 1024));
  using _ = await openOwnLog(folder, say);
  expect((await stat(file)).size).toBe(0);
});
