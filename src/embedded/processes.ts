import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

const POLL_MS = 20;

/** How to start a server. */
export interface DetachedOptions {
  command: string;
  args: string[];
  env: NodeJS.ProcessEnv;
  /** Gets stdout and stderr: a pipe would break when this process ends, and with it the server. */
  logFile: string;
  owner?: Owner;
}

/** The user that a process runs as; empty for that of this process. */
export interface Owner {
  uid?: number;
  gid?: number;
}

/** Starts a server in a process group of its own, so that neither a Ctrl-C nor the end of this process reaches it. */
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

/** The command line of a process, separated by blanks; null when it is gone or a zombie. */
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

/** Identifies a process by start time and command line, which distinguishes it from another one with the same pid. */
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
    // proc(5): field 22 is the start time; the name before the last ")" may contain blanks.
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${started} ${command}`;
  } catch {
    return null; // it has just ended
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
 * Ends a process by each signal in turn, waiting for its end as many ms as given. Calls `ours` before each
 * signal, because another process may have the pid by then. Throws when the last signal does not help.
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

/** Polls until `done` is true; false when `ms` have passed before. */
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
