import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { COMPILE_CACHE } from './compileCache.ts';

const CLI = fileURLToPath(new URL('../../cli.ts', import.meta.url));

/** The CLI on a terminal of its own (`script` of util-linux). */
export interface OnTerminal {
  /** All that it has shown, with `\n` at the ends of lines. */
  output(): string;
  /** Types; `\u0003` is Ctrl-C, `\u0004` is Ctrl-D. */
  type(text: string): void;
  ended: Promise<{ code: number | null; output: string }>;
}

/** Starts the real CLI on a terminal of this size, with this environment and no other; stderr may go to a file. */
export function startOnTerminal(
  args: readonly string[],
  env: Record<string, string>,
  { columns = 80, rows = 24, stderr = '' } = {},
): OnTerminal {
  const line = [process.execPath, CLI, ...args].map((one) => `'${one}'`).join(' ');
  const elsewhere = stderr === '' ? '' : ` 2>'${stderr}'`;
  const sized = `stty cols ${columns} rows ${rows}; ${line}${elsewhere}`;
  const child = spawn('script', ['-qec', sized, '/dev/null'], {
    env: { ...COMPILE_CACHE, PATH: process.env['PATH'], TERM: 'xterm', SHELL: '/bin/sh', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.on('error', () => undefined); // it ended before it read all
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
  const output = (): string => shown.replaceAll('\r\n', '\n');
  return {
    output,
    type: (text) => void child.stdin.write(text),
    ended: once(child, 'close').then(([code]) => ({
      code: code as number | null,
      output: output(),
    })),
  };
}
