import { createHash } from 'node:crypto';
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';

import { CliError, EXIT, usage } from './exit.ts';
import type { ImportRules } from './importEntry.ts';
import type { Format, SourcePlace } from './importSource.ts';

/** Tells whether a file is still the same. */
export interface FileIdentity {
  size: number;
  modified: string;
  /** SHA-256 of the first MB. */
  head: string;
}

/** The state of an import: everything before `place` is on the server's disk or in the list of rejects. */
export interface Checkpoint {
  version: 1;
  file: FileIdentity;
  format: Format;
  rules: ImportRules;
  place: SourcePlace;
  sums: Record<string, number>;
  rejected: number;
  /** Length of the list of rejected lines, in bytes. */
  rejectedBytes: number;
}

const HEAD_BYTES = 1024 * 1024;

/** The path of a file's checkpoint, beside it. */
export function checkpointPath(file: string): string {
  return `${file}.millrace-import`;
}

/** Reads the identity and the first MB of a file. Rejects with a `CliError` when it can't be read. */
export async function identify(path: string): Promise<{ file: FileIdentity; head: Uint8Array }> {
  try {
    await using handle = await open(path, 'r');
    const about = await handle.stat();
    if (!about.isFile()) throw usage(`${path} is not a file`);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    const head = buffer.subarray(0, bytesRead);
    return {
      head,
      file: {
        size: about.size,
        modified: about.mtime.toISOString(),
        head: createHash('sha256').update(head).digest('hex'),
      },
    };
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw usage(`${path} can't be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** Replaces the checkpoint atomically. */
export async function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  await writeFile(`${path}.part`, `${JSON.stringify(checkpoint)}\n`);
  await rename(`${path}.part`, path);
}

/** Reads a checkpoint; null when there is none. Rejects with a `CliError` when it can't be read. */
export async function readCheckpoint(path: string): Promise<Checkpoint | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw usage(`${path} can't be read (${error.code})`);
  });
  if (text === null) return null;
  try {
    const checkpoint = JSON.parse(text) as Checkpoint;
    if (checkpoint.version === 1) return checkpoint;
  } catch {
    // treated like a checkpoint of another version
  }
  throw usage(`${path} is not a checkpoint of this version; remove it to start over`);
}

/** Removes the checkpoint of a finished import. */
export async function removeCheckpoint(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** Whether there is a file or folder at `path`. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Throws a `CliError` when the file or the flags are not those that the import began with. */
export function refuseOther(
  checkpoint: Checkpoint,
  now: Pick<Checkpoint, 'file' | 'format' | 'rules'>,
): void {
  const { file, format, rules } = checkpoint;
  if (JSON.stringify(file) !== JSON.stringify(now.file)) {
    throw new CliError(
      EXIT.failed,
      'The file is not as it was when its import began; without --resume it is imported from its beginning',
    );
  }
  const before = { ...rules, format };
  const after = { ...now.rules, format: now.format };
  for (const name of Object.keys(before) as (keyof typeof before)[]) {
    if (before[name] === after[name]) continue;
    const was = before[name] === null ? 'was not given' : `was ${before[name]}`;
    throw usage(`--${name} ${was} when this import began; --resume needs the same flags`);
  }
}
