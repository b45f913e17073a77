import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { COMPILE_CACHE } from './compileCache.ts';

const CLI = fileURLToPath(new URL('../../cli.ts', import.meta.url));

export interface ImportRun {
  code: number | null;
  killed: boolean;
  seconds: number;
  /** Peak resident memory of the CLI and of the API, MB. */
  cliMb: number;
  apiMb: number;
  stdout: string;
  stderr: string;
}

/** Writes `lines` records of about 200 bytes as NDJSON, each a record of its own. */
export async function writeImportFile(path: string, lines: number): Promise<void> {
  const file = createWriteStream(path);
  let part = '';
  for (let line = 0; line < lines; line++) {
    part += `{"sync_id":"import","collection_id":"shop:order","upstream_id":"order-${line}","data":{"number":${line},"exact":9007199254740993,"customer":"cus_${line % 997}","note":"${'x'.repeat(40 + (line % 60))}"}}\n`;
    if (part.length < 256 * 1024) continue;
    if (!file.write(part)) await once(file, 'drain');
    part = '';
  }
  file.end(part);
  await finished(file);
}

/**
 * Runs `millrace import` as a process, and kills it with SIGKILL once `killWhen` is true. Peaks are
 * those of the kernel (VmHWM of proc_pid_status(5)).
 */
export async function runImport(options: {
  args: string[];
  env: Record<string, string>;
  apiPid: number;
  killWhen?: () => Promise<boolean>;
}): Promise<ImportRun> {
  const { args, env, apiPid, killWhen } = options;
  const began = performance.now();
  const child = spawn(process.execPath, [CLI, 'import', ...args, '--json'], {
    env: { ...COMPILE_CACHE, PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  let killed = false;
  let cliMb = 0;
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const closed = once(child, 'close');
  while (child.exitCode === null && child.signalCode === null) {
    cliMb = Math.max(cliMb, await peakMb(child.pid));
    if (!killed && killWhen !== undefined && (await killWhen())) {
      killed = true;
      child.kill('SIGKILL');
    }
    await Promise.race([closed, wait(10)]);
  }
  const [code] = (await closed) as [number | null];
  const seconds = (performance.now() - began) / 1_000;
  return { code, killed, seconds, cliMb, apiMb: await peakMb(apiPid), stdout, stderr };
}

/** The peak resident memory of a process, MB; 0 where it is gone or the system tells it otherwise. */
export async function peakMb(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmHWM:\s+(\d+) kB/u.exec(status)?.[1] ?? 0) / 1024;
}
