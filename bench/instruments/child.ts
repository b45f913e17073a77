import { fork, type ChildProcess } from 'node:child_process';
const FOLLOW_PARENT = new URL('../../src/embedded/followParent.ts', import.meta.url).href;

/** A process of the bench. */
export interface Running<Result> extends AsyncDisposable {
  pid: number;
  /** Resolves with what the process reports; rejects when it ends without a report. */
  reported: Promise<Result>;
}

/**
 * Starts a process of the bench, which ends with this one. It gets `settings` as one JSON argument
 * (see `settingsOf`) and returns its result by `report`.
 */
export function startChild<Result>(file: URL, settings: unknown): Running<Result> {
  const child = fork(file, [JSON.stringify(settings)], {
    execArgv: ['--import', FOLLOW_PARENT],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${file.pathname} could not be started`);
  const reported = new Promise<Result>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Result));
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      reject(new Error(`${file.pathname} ended with ${signal ?? code} before it had reported`));
    });
  });
  reported.catch(() => undefined); // the caller that awaits the result gets the error
  return { pid, reported, [Symbol.asyncDispose]: () => end(child) };
}

/** Runs a process of the bench, and returns its result. */
export async function runChild<Result>(file: URL, settings: unknown): Promise<Result> {
  await using child = startChild<Result>(file, settings);
  return await child.reported;
}

/** To be called in the child: returns the settings with which it was started. */
export function settingsOf(): unknown {
  return JSON.parse(process.argv[2] ?? 'null');
}

/** To be called in the child: reports the result; resolves when the parent has it. */
export async function report(result: unknown): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  if (process.send === undefined) throw new Error('this is started by bench/run.ts');
  process.send(result, (error: Error | null) => (error === null ? resolve() : reject(error)));
  return promise;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once('exit', () => resolve());
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await promise;
  clearTimeout(late);
}
