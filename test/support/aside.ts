import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Runs TypeScript in a Node process of its own, from a file in `folder`, and resolves with the
 * first line it prints. In it `@src/` stands for this project's src/.
 */
export async function runAside(
  folder: string,
  source: string,
): Promise<{ child: ChildProcess; line: string }> {
  const file = join(folder, 'aside.ts');
  await writeFile(file, source.replaceAll('@src/', new URL('../../src/', import.meta.url).href));
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close').then((): [] => []);
  const [chunk] = (await Promise.race([once(child.stdout, 'data'), ended])) as [Buffer?];
  if (chunk === undefined) throw new Error('it ended without a line; why stands on stderr');
  return { child, line: chunk.toString().trim() };
}

/** kill -9, and waits until it is gone. */
export async function killHard(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
