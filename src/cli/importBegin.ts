import { CollectionId, SyncId } from '../schema/fields.ts';
import type { Context } from './context.ts';
import { usage } from './exit.ts';
import {
  changed,
  checkpointPath,
  exists,
  readCheckpoint,
  refuseOther,
  type Checkpoint,
} from './importCheckpoint.ts';
import { delimiterName, findDelimiter, parseDelimiter } from './importDelimiter.ts';
import { encodingOf } from './importEncoding.ts';
import type { ImportRules } from './importEntry.ts';
import { openSource } from './importOpen.ts';
import { followPrefix, type Prefix } from './importPrefix.ts';
import { chunksToRead, formatOf, startOf, type Format, type Reading } from './importSource.ts';

/** The flags of `millrace import`. */
export interface ImportFlags {
  stream: 'events' | 'records';
  sync?: string;
  collection?: string;
  key?: string;
  event?: string;
  format?: Format;
  encoding?: string;
  delimiter?: string;
  rejects?: string;
  resume?: boolean;
}

/** An import that is ready to read on. */
export interface Begun {
  checkpoint: Checkpoint;
  reading: Reading;
  prefix: Prefix;
  /** Bytes of the source; null for stdin. */
  size: number | null;
  isResumed: boolean;
}

/**
 * Opens the source, decides how it is read, and goes to where an interrupted import ended. Rejects with
 * a `CliError` when flags contradict each other or the source, or when the file changed in between.
 */
export async function beginImport(
  { out }: Pick<Context, 'out'>,
  source: string,
  flags: ImportFlags,
): Promise<Begun> {
  const rules = rulesOf(flags);
  if (source === '-' && flags.resume === true) throw usage('stdin cannot be resumed; give a file');
  const { identity, head, size, chunks } = await openSource(source);
  const encoding = encodingOf(head, flags.encoding);
  const format = flags.format ?? formatOf(source, head, encoding);
  if (flags.delimiter !== undefined && format !== 'csv') {
    throw usage(`--delimiter is only for CSV; this is read as ${format}`);
  }
  const named = flags.delimiter === undefined ? null : parseDelimiter(flags.delimiter);
  const delimiter =
    format === 'csv' ? (named ?? (await findDelimiter(source, head, encoding))) : null;
  const fresh: Checkpoint = {
    version: 2,
    file: identity,
    format,
    encoding: encoding.name,
    delimiter,
    rules,
    rejects: flags.rejects ?? null,
    place: { ...startOf(), digest: '' },
    sums: {},
    rejected: 0,
    sizes: { list: 0, file: 0 },
  };
  const kept = flags.resume === true ? await readCheckpoint(checkpointPath(source)) : null;
  if (kept !== null) refuseOther(kept, fresh);
  else if (source !== '-' && (await exists(checkpointPath(source)))) {
    out.note(
      'An earlier import of this file was interrupted; this one starts over (--resume continues it)',
    );
  }
  const checkpoint = kept ?? fresh;
  const reading = { format, encoding, delimiter: delimiter ?? '' };
  const prefix = await followPrefix(chunksToRead(chunks, reading), checkpoint.place);
  if (prefix === null) throw changed();
  if (kept !== null) out.note(`Continuing after line ${kept.place.number}`);
  const how = describe(reading);
  if (how !== '') out.note(`Read as ${how}`);
  return { checkpoint, reading, prefix, size, isResumed: kept !== null };
}

function rulesOf(flags: ImportFlags): ImportRules {
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
  if (rules.sync !== null && !SyncId.safeParse(rules.sync).success) {
    throw usage('--sync must have 1 to 255 characters');
  }
  if (rules.key === '') throw usage('--key must name a field');
  if (rules.collection !== null && !CollectionId.safeParse(rules.collection).success) {
    throw usage('--collection must be provider:name, for example stripe:customer');
  }
  if (rules.key !== null && (rules.sync === null || rules.collection === null)) {
    throw usage(
      'With --key, a line is only the data of a record: --sync and --collection are needed as well',
    );
  }
  return rules;
}

/** How a source is read, if that is not obvious. */
function describe({ encoding, format, delimiter }: Reading): string {
  const parts: string[] = [];
  if (encoding.name !== 'utf-8') parts.push(encoding.name);
  if (format === 'csv' && delimiter !== ',') {
    parts.push(`CSV with its columns separated by ${delimiterName(delimiter)}`);
  }
  return parts.join(', ');
}
