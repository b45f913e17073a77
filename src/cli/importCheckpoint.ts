import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';

import { CliError, EXIT, usage } from './exit.ts';
import type { ImportRules } from './importEntry.ts';
import type { RejectSizes } from './importRejects.ts';
import type { Format, SourcePlace } from './importSource.ts';
import { unreadable } from './values.ts';

/** Tells whether a file is still the same. */
export interface FileIdentity {
  size: number;
  modified: string;
  /** SHA-256 of the first MB. */
  head: string;
}

/** The state of an import: everything before `place` is on the server's disk or in the list of rejects. */
export interface Checkpoint {
  version: 2;
  file: FileIdentity;
  format: Format;
  encoding: string;
  /** Of CSV; null for other formats. */
  delimiter: string | null;
  rules: ImportRules;
  /** The path of `--rejects`. */
  rejects: string | null;
  /** With the SHA-256 of everything before it. */
  place: SourcePlace & { digest: string };
  sums: Record<string, number>;
  rejected: number;
  sizes: RejectSizes;
}

/** The path of a file's checkpoint, beside it. */
export function checkpointPath(file: string): string {
  return `${file}.millrace-import`;
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
    throw unreadable(path, error);
  });
  if (text === null) return null;
  try {
    const checkpoint = JSON.parse(text) as Checkpoint;
    if (checkpoint.version === 2) return checkpoint;
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
export function refuseOther(checkpoint: Checkpoint, now: Checkpoint): void {
  if (JSON.stringify(checkpoint.file) !== JSON.stringify(now.file)) throw changed();
  const flags = (of: Checkpoint) => ({
    ...of.rules,
    format: of.format,
    encoding: of.encoding,
    delimiter: of.delimiter,
    rejects: of.rejects,
  });
  const [before, after] = [flags(checkpoint), flags(now)];
  for (const name of Object.keys(before) as (keyof typeof before)[]) {
    if (before[name] === after[name]) continue;
    const was = before[name] === null ? 'was not given' : `was ${before[name]}`;
    throw usage(`--${name} ${was} when this import began; --resume needs the same flags`);
  }
}

/** The error for a file that changed after its import began. */
export function changed(): CliError {
  return new CliError(
    EXIT.failed,
    'The file has changed since its import began; import it from the beginning, without --resume',
  );
}
