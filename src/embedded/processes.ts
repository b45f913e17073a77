import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

const POLL_MS = 20;

export interface DetachedOptions {
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  /** stdout and stderr are appended here: a pipe would die with us and take the server along. */
  logFile: string;
  owner?: Owner;
}

/** The user a process is dropped to; empty for our own. */
export interface Owner {
  uid?: number;
  gid?: number;
}

/** Starts a server in a session of its own, which no Ctrl-C and no death of ours reaches. */
export function spawnDetached(options: DetachedOptions): ChildProcess {
  const log = openSync(options.logFile, 'a', 0o600);
  try {
    const child = spawn(options.command, options.args, {
      ...options.owner,
      cwd: '/',
      env: options.env,
      detached: true,
      stdio: ['ignore', log, log],
    });
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

/** The process's command line with blanks between its words; null when it is gone or a zombie. */
export function commandLine(pid: number): string | null {
  if (process.platform === 'linux') {
    try {
      const text = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      return text === '' ? null : text;
    } catch {
      return null; // no such process
    }
  }
  const ps = spawnSync('ps', ['-ww', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  const text = ps.status === 0 ? ps.stdout.trim() : '';
  return text === '' ? null : text;
}

/** Names one process for good: its start time and command line, so that a reused pid differs. */
export function identityOf(pid: number): string | null {
  if (process.platform !== 'linux') {
    const ps = spawnSync('ps', ['-ww', '-o', 'lstart=,command=', '-p', String(pid)], {
      encoding: 'utf8',
    });
    return ps.status === 0 && ps.stdout.trim() !== '' ? ps.stdout.trim() : null;
  }
  const command = commandLine(pid);
  if (command === null) return null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // proc(5): field 22 is the start time; the name before the last ")" may hold blanks.
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${started} ${command}`;
  } catch {
    return null; // ended in between
  }
}

/** Resolves once `ours(pid)` is false. */
export async function whenGone(
  pid: number,
  ours: (pid: number) => boolean,
  signal?: AbortSignal,
): Promise<void> {
  while (ours(pid)) await wait(POLL_MS * 5, undefined, { ...(signal && { signal }) });
}

/**
 * Ends a process by each signal in turn, waiting its time in ms for the end. Asks `ours` before
 * each one: the pid may have passed to a stranger.
 */
export async function stopProcess(
  pid: number,
  ours: (pid: number) => boolean,
  signals: [NodeJS.Signals, number][],
): Promise<void> {
  for (const [signal, ms] of signals) {
    if (!ours(pid)) return;
    process.kill(pid, signal);
    const gone = await until(() => !ours(pid), ms);
    if (gone) return;
  }
  throw new Error(`process ${pid} does not end, not even by ${signals.at(-1)?.[0]}`);
}

/** Polls until `done` holds; false when `ms` have passed first. */
export async function until(
  done: () => boolean | Promise<boolean>,
  ms: number,
  pollMs = POLL_MS,
): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (!(await done())) {
    if (performance.now() > deadline) return false;
    await wait(pollMs);
  }
  return true;
}
