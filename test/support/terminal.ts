import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { COMPILE_CACHE } from './compileCache.ts';

const CLI = fileURLToPath(new URL('../../cli.ts', import.meta.url));

/** A command on a terminal of its own (`script` of util-linux). */
export interface OnTerminal {
  /** All that it has shown, with `\n` at the ends of lines. */
  output(): string;
  /** Types; `\u0003` is Ctrl-C, `\u0004` is Ctrl-D. */
  type(text: string): void;
  ended: Promise<{ code: number | null; output: string }>;
}

interface Size {
  columns?: number;
  rows?: number;
}

/** Starts the real CLI on a terminal of this size, with this environment and no other; stderr may go to a file. */
export function startOnTerminal(
  args: readonly string[],
  env: Record<string, string>,
  { stderr = '', ...size }: Size & { stderr?: string } = {},
): OnTerminal {
  const line = [process.execPath, CLI, ...args].map((one) => `'${one}'`).join(' ');
  const elsewhere = stderr === '' ? '' : ` 2>'${stderr}'`;
  const own = { ...COMPILE_CACHE, PATH: process.env['PATH'] ?? '', ...env };
  return startLine(`${line}${elsewhere}`, own, size);
}

/** Starts a line of a shell on a terminal of this size, with this environment and no other. */
export function startLine(
  line: string,
  env: Record<string, string>,
  { columns = 80, rows = 24, cwd }: Size & { cwd?: string } = {},
): OnTerminal {
  const sized = `stty cols ${columns} rows ${rows}; ${line}`;
  const child = spawn('script', ['-qec', sized, '/dev/null'], {
    env: { TERM: 'xterm', SHELL: '/bin/sh', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
    ...(cwd !== undefined && { cwd }),
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
