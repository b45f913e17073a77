// which test files share a process: a run of small files with the pool and the setup file of all tests
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

/** What the test of each file does; the files run in this order, two at a time. */
const FILES: Record<string, string> = {
  first: '',
  second: '',
  third: '',
  fourth: '',
  fails: 'expect(1).toBe(2);',
  leaves: 'setInterval(() => undefined, 1_000);',
  leavesAll: `
    const { spawn } = await import('node:child_process');
    const { createServer } = await import('node:net');
    spawn('sleep', ['10'], { stdio: 'ignore' });
    createServer().listen(0, '127.0.0.1');
    process.env['LEFT'] = 'behind';
    process.on('SIGTERM', () => undefined);
    globalThis.structuredClone = () => undefined;
    globalThis.much = Buffer.alloc(750 * 2 ** 20, 1);
    vi.useFakeTimers();`,
  alone: '// own process: it is what this is about',
  next: '',
  last: '',
};
const CONFIG = `
  import { writeFileSync } from 'node:fs';
  import { BaseSequencer } from '${ROOT}/node_modules/vitest/dist/node.js';
  import { forks } from '${ROOT}/test/support/forks.ts';

  const ORDER = ${JSON.stringify(Object.keys(FILES).map((name) => `/${name}.test.ts`))};
  const placeOf = ({ moduleId }) => ORDER.findIndex((end) => moduleId.endsWith(end));
  class InOrder extends BaseSequencer {
    sort = async (files) => files.toSorted((a, b) => placeOf(a) - placeOf(b));
  }
  const results = [];
  const reporter = {
    onTestModuleEnd: (file) => void results.push({ name: file.relativeModuleId, ...file.meta() }),
    onTestRunEnd: () => writeFileSync('results.json', JSON.stringify(results)),
  };

  export default {
    test: {
      globals: true,
      setupFiles: ['${ROOT}/test/support/leftovers.ts'],
      pool: forks,
      isolate: false,
      maxWorkers: 2,
      sequence: { sequencer: InOrder },
      reporters: [reporter],
    },
  };`;

interface Ran {
  name: string;
  pid: number;
  leftovers: string[];
}

let folder: string;
/** In the order that they ended in. */
let ran: Ran[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-forks-'));
  await writeFile(join(folder, 'vitest.config.ts'), CONFIG);
  for (const [name, does] of Object.entries(FILES)) {
    const text = `test('it', async ({ task }) => {
      task.file.meta.pid = process.pid;
      ${does}
    });`;
    await writeFile(join(folder, `${name}.test.ts`), text);
  }
  const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
  await promisify(execFile)(process.execPath, [vitest, 'run'], { cwd: folder }).catch(
    () => undefined, // one of the files fails
  );
  ran = JSON.parse(await readFile(join(folder, 'results.json'), 'utf8')) as Ran[];
});

afterAll(() => rm(folder, { recursive: true }));

function file(name: string): Ran {
  const found = ran.find((one) => one.name === `${name}.test.ts`);
  if (found === undefined) throw new Error(`${name} did not run`);
  return found;
}

test('files that leave nothing behind share as many processes as run at a time', () => {
  const pids = ['first', 'second', 'third', 'fourth'].map((name) => file(name).pid);
  expect(new Set(pids).size).toBeLessThanOrEqual(2);
});

test.each(['fails', 'leaves', 'leavesAll', 'alone'])('no file runs after this one: %s', (name) => {
  expect(ran.findLast(({ pid }) => pid === file(name).pid)).toBe(file(name));
});

test('a file that says that it needs a process of its own has it', () => {
  expect(ran.filter(({ pid }) => pid === file('alone').pid)).toEqual([file('alone')]);
});

test('whatever a file leaves in its process is found', () => {
  expect(file('first').leftovers).toEqual([]);
  expect(file('leaves').leftovers).toEqual(['1 × Timeout']);
  expect(file('leavesAll').leftovers).toEqual(
    expect.arrayContaining([
      'a faked clock',
      'the variable LEFT',
      'another structuredClone',
      'a listener of SIGTERM',
      'a process that is too large',
      '1 × TCPServerWrap',
      '1 × ProcessWrap',
    ]),
  );
});
