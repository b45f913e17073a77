import { appendFile, rm, truncate } from 'node:fs/promises';

import { keepHeapSmall } from '../process/heap.ts';
import type { Context } from './context.ts';
import { CliError, EXIT, usage } from './exit.ts';
import {
  checkpointPath,
  exists,
  identify,
  readCheckpoint,
  refuseOther,
  removeCheckpoint,
  writeCheckpoint,
  type Checkpoint,
} from './importCheckpoint.ts';
import { createLineReader, type ImportRules } from './importEntry.ts';
import { sendPart, type Part } from './importPart.ts';
import { createProgress } from './importProgress.ts';
import { formatOf, openBytes, readSource, startOf, type Format } from './importSource.ts';

/** The flags of `millrace import`. */
export interface ImportFlags {
  stream: 'events' | 'records';
  sync?: string;
  collection?: string;
  key?: string;
  event?: string;
  format?: Format;
  resume?: boolean;
}

/** The size of one request, which is committed as a whole. */
const PART = { lines: 1_000, bytes: 1024 * 1024 };

/**
 * `millrace import`: appends a file of any length, in bounded memory. One part is sent while the next
 * is read. Whenever a part is on the server's disk, the checkpoint beside the file is replaced, so that
 * `--resume` repeats at most one part, without effect. Returns exit code 1 when lines were rejected.
 */
export async function runImport(
  context: Context,
  file: string,
  flags: ImportFlags,
): Promise<number> {
  keepHeapSmall();
  const { out, signal } = context;
  const { checkpoint, size, isResumed } = await begin(file, flags);
  const path = file === '-' ? null : checkpointPath(file);
  const rejectedPath = `${file === '-' ? 'stdin' : file}.rejected.ndjson`;
  if (isResumed) {
    if (await exists(rejectedPath)) await truncate(rejectedPath, checkpoint.rejectedBytes);
    out.note(`Continuing after line ${checkpoint.place.number}`);
  } else {
    if (path !== null && (await exists(path))) {
      out.note(
        'An earlier import of this file was interrupted; this one starts over (--resume continues it)',
      );
    }
    await rm(rejectedPath, { force: true });
  }

  const progress = createProgress({ out, size, from: checkpoint.place });
  const readLine = createLineReader(checkpoint.rules, checkpoint.file.head);
  let columns = checkpoint.place.columns;
  let committing: Promise<void> = Promise.resolve();

  async function commit(part: Part): Promise<void> {
    const { sums, rejected } = await sendPart(context, checkpoint.rules.stream, part);
    for (const [name, count] of Object.entries(sums)) {
      checkpoint.sums[name] = (checkpoint.sums[name] ?? 0) + count;
    }
    if (rejected.length > 0) {
      const lines = rejected.map((one) => `${JSON.stringify(one)}\n`).join('');
      await appendFile(rejectedPath, lines);
      checkpoint.rejected += rejected.length;
      checkpoint.rejectedBytes += Buffer.byteLength(lines);
    }
    checkpoint.place = { offset: part.end, number: part.number, columns };
    if (path !== null) await writeCheckpoint(path, checkpoint);
    progress.at(checkpoint);
  }

  async function hand(part: Part): Promise<void> {
    await committing;
    committing = commit(part);
    committing.catch(() => undefined); // it is thrown where it is awaited
  }

  try {
    let part = emptyPart();
    const source = readSource({
      format: checkpoint.format,
      chunks: openBytes(file, checkpoint.place.offset),
      from: { ...checkpoint.place },
      onColumns: (found) => (columns = found),
    });
    let broken: CliError | null = null;
    try {
      for await (const line of source) {
        signal.throwIfAborted();
        const read = readLine(line);
        part.end = line.end;
        part.number = line.number;
        if ('reason' in read) {
          part.rejected.push({ line: line.number, reason: read.reason, text: line.text });
        } else {
          part.lines.push({ number: line.number, text: read.text });
          part.bytes += read.text.length;
        }
        const size = part.lines.length + part.rejected.length;
        if (size < PART.lines && part.bytes < PART.bytes) continue;
        await hand(part);
        part = emptyPart();
      }
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      broken = error; // the rest can't be read; everything before it is still imported
    }
    if (part.end > 0) await hand(part);
    await committing;
    if (broken !== null) throw broken;
  } catch (error) {
    await committing.catch(() => undefined); // the same error, or a later one that matters less
    if (path !== null && (await exists(path))) {
      out.note(`Imported up to line ${checkpoint.place.number}; --resume continues there`);
    }
    throw error;
  }
  if (path !== null) await removeCheckpoint(path);
  progress.end();
  report(context, checkpoint, progress.figures(), rejectedPath);
  return checkpoint.rejected === 0 ? EXIT.ok : EXIT.failed;
}

function emptyPart(): Part {
  return { lines: [], rejected: [], bytes: 0, end: 0, number: 0 };
}

async function begin(
  file: string,
  flags: ImportFlags,
): Promise<{ checkpoint: Checkpoint; size: number | null; isResumed: boolean }> {
  const rules: ImportRules = {
    stream: flags.stream,
    sync: flags.sync ?? null,
    collection: flags.collection ?? null,
    key: flags.key ?? null,
    event: flags.event ?? null,
  };
  if (rules.event !== null && rules.stream === 'records') {
    throw usage('--event is only for events; add --stream events');
  }
  if (rules.key !== null && (rules.sync === null || rules.collection === null)) {
    throw usage('With --key, each line is only data: --sync and --collection are needed as well');
  }
  const fresh = {
    version: 1 as const,
    rules,
    place: startOf(),
    sums: {},
    rejected: 0,
    rejectedBytes: 0,
  };
  if (file === '-') {
    if (flags.resume === true) throw usage('stdin cannot be resumed; give a file');
    const identity = { size: 0, modified: '', head: 'stdin' };
    const format = flags.format ?? 'ndjson';
    return { checkpoint: { ...fresh, file: identity, format }, size: null, isResumed: false };
  }
  const { file: identity, head } = await identify(file);
  const format = flags.format ?? formatOf(file, head);
  const checkpoint: Checkpoint = { ...fresh, file: identity, format };
  const kept = flags.resume === true ? await readCheckpoint(checkpointPath(file)) : null;
  if (kept !== null) refuseOther(kept, checkpoint);
  return { checkpoint: kept ?? checkpoint, size: identity.size, isResumed: kept !== null };
}

function report(
  { out }: Context,
  { sums, rejected, place }: Checkpoint,
  { seconds, rate }: { seconds: number; rate: number },
  rejectedPath: string,
): void {
  const result = { lines: place.number, ...sums, rejected, seconds, lines_per_second: rate };
  out.thing(result, Object.entries(result));
  if (rejected > 0) out.note(`${rejected} lines were rejected: ${rejectedPath} says which and why`);
}
