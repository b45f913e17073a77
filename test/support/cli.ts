import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { COMPILE_CACHE } from './compileCache.ts';

const CLI = fileURLToPath(new URL('../../cli.ts', import.meta.url));

export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunningCli {
  child: ChildProcess;
  stdout(): string;
  stderr(): string;
  ended: Promise<CliResult>;
}

/** The real CLI as a process, with this environment and no other; with null as `input` its stdin stays open. */
export function startCli(
  args: readonly string[],
  env: Record<string, string> = {},
  options: { input?: string | null; cwd?: string } = {},
): RunningCli {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...COMPILE_CACHE, PATH: process.env['PATH'], HOME: '/nonexistent', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.on('error', () => undefined); // it ended before it read all
  if (options.input !== null) child.stdin.end(options.input ?? '');
  const ended = once(child, 'close').then(([code]) => ({
    code: code as number | null,
    stdout,
    stderr,
  }));
  return { child, stdout: () => stdout, stderr: () => stderr, ended };
}

/** Runs it to its end. */
export function runCli(...args: Parameters<typeof startCli>): Promise<CliResult> {
  return startCli(...args).ended;
}
