import { keepHeapSmall } from '../process/heap.ts';
import type { Context } from './context.ts';
import { CliError, EXIT, usage } from './exit.ts';
import { beginImport, type Begun, type ImportFlags } from './importBegin.ts';
import { checkpointPath, exists, removeCheckpoint, writeCheckpoint } from './importCheckpoint.ts';
import { createLineReader, type ImportRules } from './importEntry.ts';
import type { SourceLine } from './importLines.ts';
import { sendPart, type Part } from './importPart.ts';
import { createProgress } from './importProgress.ts';
import { openRejects, type Rejects } from './importRejects.ts';
import { readSource, type Header } from './importSource.ts';

/** The size of one request, which is committed as a whole. */
const PART = { lines: 1_000, bytes: 1024 * 1024 };

/**
 * `millrace import`: appends a source of any length, in bounded memory. One part is sent while the next
 * is read. Whenever a part is on the server's disk, the checkpoint beside the file is replaced, so that
 * `--resume` repeats at most one part, without effect. Returns exit code 0 when every line was imported,
 * 1 when lines were rejected, which are listed.
 */
export async function runImport(
  context: Context,
  source: string,
  flags: ImportFlags,
): Promise<number> {
  keepHeapSmall(20);
  const { out } = context;
  const begun = await beginImport(context, source, flags);
  const { checkpoint, isResumed } = begun;
  const path = source === '-' ? null : checkpointPath(source);
  const rejects = await openRejects({
    out,
    source,
    path: checkpoint.rejects,
    reading: begun.reading,
    kept: isResumed ? checkpoint.sizes : null,
  });
  const progress = createProgress({ out, size: begun.size, from: checkpoint.place });
  try {
    await importAll({ context, begun, rejects, path, at: () => progress.at(checkpoint) });
  } catch (error) {
    if (path !== null && checkpoint.place.number > 0 && (await exists(path))) {
      out.note(`Imported up to line ${checkpoint.place.number}; --resume continues there`);
    }
    throw error;
  }
  if (path !== null) await removeCheckpoint(path);
  progress.end();
  await rejects.end();
  return report(context, begun, rejects, progress.figures());
}

/** Sends parts until the source ends. Rejects after everything that could be read is stored. */
async function importAll(options: {
  context: Context;
  begun: Begun;
  rejects: Rejects;
  path: string | null;
  at: () => void;
}): Promise<void> {
  const { context, begun, rejects, path, at } = options;
  const { checkpoint, prefix, reading } = begun;
  const readLine = createLineReader(checkpoint.rules, checkpoint.file.head);
  let { header } = checkpoint.place;
  let committing: Promise<void> = Promise.resolve();

  async function commit(part: Part): Promise<void> {
    const entries = part.entries.length + part.rejected.length;
    checkpoint.sums['entries'] = (checkpoint.sums['entries'] ?? 0) + entries;
    const { sums, rejected } = await sendPart(context, checkpoint.rules.stream, part);
    for (const [name, count] of Object.entries(sums)) {
      checkpoint.sums[name] = (checkpoint.sums[name] ?? 0) + count;
    }
    checkpoint.sizes = await rejects.add(rejected, header);
    checkpoint.rejected += rejected.length;
    checkpoint.place = { offset: part.end, number: part.number, header, digest: part.digest };
    if (path !== null) await writeCheckpoint(path, checkpoint);
    at();
  }

  async function hand(part: Part): Promise<void> {
    part.digest = prefix.digest();
    await committing;
    committing = commit(part);
    committing.catch(() => undefined); // it is thrown where it is awaited
  }

  let part = emptyPart();
  let broken: CliError | null = null;
  try {
    const from = { ...checkpoint.place };
    const onHeader = (found: Header): void => {
      header = checkedHeader(found, checkpoint.rules);
    };
    for await (const line of readSource({ ...reading, chunks: prefix.chunks, from, onHeader })) {
      context.signal.throwIfAborted();
      prefix.pass(line.end);
      add(part, line, readLine(line));
      if (part.entries.length + part.rejected.length < PART.lines && part.bytes < PART.bytes)
        continue;
      await hand(part);
      part = emptyPart();
    }
  } catch (error) {
    if (!(error instanceof CliError)) {
      await committing.catch(() => undefined); // the same error, or a later one that matters less
      throw error;
    }
    broken = error; // the rest can't be read; everything before it is still imported
  }
  if (part.end > 0) await hand(part);
  await committing;
  if (broken !== null) throw broken;
}

/** Refuses a header with which every row would be rejected. */
function checkedHeader(header: Header, rules: ImportRules): Header {
  const { key } = rules;
  const columns = header.columns.map((name) => JSON.stringify(name)).join(', ');
  const flags = missingFlags(header.columns, rules);
  if (flags.length > 0) {
    throw usage(
      `The columns ${columns} do not name the sync, the collection and the record of a row; add ${flags.join(' ')}`,
      'Nothing was sent. millrace import --help has an example.',
    );
  }
  if (key === null || header.columns.includes(key)) return header;
  throw usage(
    `No column has the name that --key gives, ${JSON.stringify(key)}; the columns are ${columns}`,
  );
}

/** The flags without which no row of CSV names its record. */
function missingFlags(columns: string[], { key, sync, collection }: ImportRules): string[] {
  const has = (name: string): boolean => columns.includes(name) && !isData;
  const isData = !columns.includes('upstream_id'); // a row is then the data of a record
  if (key !== null) return [];
  return [
    ...(sync === null && !has('sync_id') ? ['--sync SYNC'] : []),
    ...(collection === null && !has('collection_id') ? ['--collection PROVIDER:NAME'] : []),
    ...(isData ? ['--key COLUMN'] : []),
  ];
}

function emptyPart(): Part {
  return { entries: [], rejected: [], bytes: 0, end: 0, number: 0, digest: '' };
}

function add(part: Part, line: SourceLine, read: { text: string } | { reason: string }): void {
  part.end = line.end;
  part.number = line.number + line.lines - 1;
  part.bytes += line.raw.byteLength;
  if ('reason' in read) part.rejected.push({ line, reason: read.reason });
  else {
    part.entries.push({ line, text: read.text });
    part.bytes += read.text.length;
  }
}

function report(
  { out }: Context,
  { checkpoint }: Begun,
  rejects: Rejects,
  { seconds, rate }: { seconds: number; rate: number },
): number {
  const { sums, rejected, place } = checkpoint;
  const { entries = 0, ...others } = sums;
  const end = { rejected, seconds, lines_per_second: rate };
  const result = { lines: place.number, entries, ...others, ...end };
  out.thing(result, Object.entries(result));
  if (rejected === 0) return EXIT.ok;
  const were = rejected === 1 ? '1 line was' : `${rejected} lines were`;
  out.note(`${were} rejected; ${rejects.listPath} lists them with their reasons`);
  for (const hint of rejects.hints()) out.note(hint);
  if (checkpoint.rejects !== null) {
    out.note(`${checkpoint.rejects} has them unchanged, to be fixed and imported again`);
  }
  return EXIT.failed;
}
