import { Command } from 'commander';
import { expect, test } from 'vitest';

import { candidates } from '../../src/cli/candidates.ts';
import { addConsumerCommands } from '../../src/cli/consumers.ts';
import type { RunCommand } from '../../src/cli/context.ts';
import { addHistoryCommands } from '../../src/cli/history.ts';
import { addTargetCommands } from '../../src/cli/targets.ts';

const noRun: RunCommand = () => Promise.resolve();
const program = new Command('millrace').option('--url <url>').option('--json');
addConsumerCommands(program, noRun);
addTargetCommands(program, noRun);
addHistoryCommands(program, noRun);
const TEST = { value: 'test', about: expect.any(String) };

function offered(...words: string[]): unknown {
  const found = candidates(program, words);
  return found.kind === 'words' ? found.words.map(({ value }) => value) : found;
}

test.each<[string[], unknown]>([
  [['con'], ['consumers']],
  [['--url', 'http://x', 'tar'], ['targets']],
  [
    ['consumers', 're'],
    ['retry', 'resume'],
  ],
  [['consumers', 'get', ''], { kind: 'names', of: 'consumers' }],
  [['--json', 'targets', 'test', 'sh'], { kind: 'names', of: 'targets' }],
  [['consumers', 'list', '--status', 'b'], ['blocked']],
  [['consumers', 'list', '--target', ''], { kind: 'names', of: 'targets' }],
  [['consumers', 'list', '--wat'], []],
  [['consumers', 'get', 'orders', '--w'], ['--watch']],
  [['attempts', 'orders', '--tr'], ['--trace']],
  [['alerts', 't'], { kind: 'names', of: 'consumers', words: [TEST] }],
  [['alerts', 'or'], { kind: 'names', of: 'consumers', words: [] }],
  [['alerts', 'test', ''], { kind: 'files' }],
  [['consumers', 'create', '--input', ''], { kind: 'files' }],
  [['consumers', 'seek', 'orders', ''], { kind: 'files' }],
])('after %j the shell is offered %j', (words, expected) => {
  expect(offered(...words)).toEqual(expected);
});
