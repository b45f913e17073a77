import { createReadStream, createWriteStream } from 'node:fs';
import { appendFile, rm, stat, truncate } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

import { usage } from './exit.ts';
import { createStrictDecoder, escapeBytes } from './importEncoding.ts';
import type { SourceLine } from './importLines.ts';
import type { Header, Reading } from './importSource.ts';
import { escaped, type Output } from './output.ts';
import { cut } from './table.ts';

/** A line that was not imported, and why. */
export interface Rejected {
  line: SourceLine;
  reason: string;
}

/** How long the lists of rejected lines are, in bytes, so that a resumed import continues them there. */
export interface RejectSizes {
  list: number;
  file: number;
}

/** Where rejected lines go. */
export interface Rejects {
  /** The path of the list. */
  listPath: string;
  /** Lists lines, shows the first ones, and writes them as they were; resolves with the new sizes. */
  add(rejected: Rejected[], header: Header | null): Promise<RejectSizes>;
  /** Says how many lines were not shown; resolves when the list is that of this import. */
  end(): Promise<void>;
  /** The flags that would add the fields which rejected lines lack. */
  hints(): string[];
}

const SHOWN_LINES = 10;
const SHOWN_CHARACTERS = 160;

/**
 * Opens the list of rejected lines (`FILE.rejected.ndjson`: line, reason and text of each) and the file
 * of `--rejects`, which has the lines as they were, with the header of CSV. The lists
 * of an earlier import stay until the first part is stored: a fresh import then removes them, and a resumed one cuts
 * them to their kept sizes. Memory does not grow with a line.
 */
export async function openRejects(options: {
  out: Pick<Output, 'note'>;
  /** The source: a file, or `-`. */
  source: string;
  /** The path of `--rejects`. */
  path: string | null;
  reading: Reading;
  /** Null for a fresh import. */
  kept: RejectSizes | null;
}): Promise<Rejects> {
  const { out, source, path, reading } = options;
  const listPath = `${source === '-' ? 'stdin' : source}.rejected.ndjson`;
  if (path !== null && (await isSameFile(path, source))) {
    throw usage('--rejects must name a file other than the one that is imported');
  }
  const sizes = { list: 0, file: 0 };
  const missing = new Set<string>();
  let isBegun = false;
  let shown = 0;
  let hidden = 0;

  async function begin(): Promise<void> {
    if (isBegun) return;
    isBegun = true;
    sizes.list = await cutTo(listPath, options.kept?.list ?? 0);
    sizes.file = path === null ? 0 : await cutTo(path, options.kept?.file ?? 0);
  }

  function show({ line, reason }: Rejected): void {
    const [, field] = /^\/(sync_id|collection_id|upstream_id) is required/u.exec(reason) ?? [];
    if (field !== undefined) missing.add(field);
    if (shown++ < SHOWN_LINES)
      out.note(`${placeOf(line, reading)} ${reason}: ${shortText(line, reading)}`);
    else hidden++;
  }

  async function write(to: string, { line }: Rejected, header: Header | null): Promise<void> {
    if (sizes.file === 0) await writeBeginning(to, header);
    const ending = endingOf(line, reading);
    if (!line.isCut || source === '-')
      await appendFile(to, Buffer.concat([bytesOf(line, reading), ending]));
    else await copyRange(source, { start: line.start, end: line.end }, to);
    sizes.file = (await stat(to)).size;
  }

  /** The byte order mark, and for CSV the header, so that the file can be imported as it is. */
  async function writeBeginning(to: string, header: Header | null): Promise<void> {
    const mark = reading.format === 'json' ? new Uint8Array() : reading.encoding.mark;
    const columns = Buffer.from(header?.raw ?? '', 'base64');
    await appendFile(to, Buffer.concat([mark, columns]));
  }

  return {
    listPath,
    add: async (rejected, header) => {
      await begin();
      const lines = rejected.map((one) => `${listed(one, reading)}\n`).join('');
      if (lines !== '') await appendFile(listPath, lines);
      sizes.list += Buffer.byteLength(lines);
      for (const one of rejected) {
        show(one);
        if (path !== null) await write(path, one, header);
      }
      return { ...sizes };
    },
    hints: () => [...missing].map((field) => `Lines without ${field}: ${GIVEN_BY[field]}`),
    end: async () => {
      await begin();
      if (hidden > 0) out.note(`… and ${hidden} more`);
    },
  };
}

/** The flags that give a field to lines without it. */
const GIVEN_BY: Record<string, string> = {
  sync_id: 'set --sync',
  collection_id: 'set --collection',
  upstream_id: "set --key to the field that holds the record's id, with --sync and --collection",
};

function placeOf({ number, lines }: SourceLine, { format }: Reading): string {
  if (format === 'json') return `Element ${number}`;
  return lines === 1 ? `Line ${number}` : `Lines ${number} to ${number + lines - 1}`;
}

function listed({ line, reason }: Rejected, reading: Reading): string {
  const last = line.lines === 1 ? {} : { last_line: line.number + line.lines - 1 };
  return escaped(
    JSON.stringify({ line: line.number, ...last, reason, text: textOf(line, reading) }),
  );
}

/** The text of a line, with `\xE4` for bytes that are no text; a line that is too long ends with `…`. */
function textOf(line: SourceLine, { format, encoding }: Reading): string {
  const decoder = createStrictDecoder(format === 'json' ? { name: 'utf-8' } : encoding);
  if (line.isCut) return `${escapeBytes(line.raw)}…`;
  try {
    return decoder.decode(line.raw).replace(/\r\n$|[\r\n]$/u, '');
  } catch {
    return escapeBytes(line.raw).replace(/\r\n$|[\r\n]$/u, '');
  }
}

function shortText(line: SourceLine, reading: Reading): string {
  return escaped(JSON.stringify(cut(textOf(line, reading), SHOWN_CHARACTERS)));
}

/** An element of an array becomes a line of NDJSON: ends of lines in it stand only between its tokens. */
function bytesOf({ raw }: SourceLine, { format }: Reading): Uint8Array {
  if (format !== 'json') return raw;
  return Buffer.from(
    Buffer.from(raw)
      .toString('latin1')
      .replaceAll(/[\r\n]+/gu, ' '),
    'latin1',
  );
}

/** What is missing at the end of a line that ends with the source. */
function endingOf({ raw, isCut }: SourceLine, { format, encoding }: Reading): Uint8Array {
  const [last, before] = [raw.at(-1), raw.at(-2)];
  const isEnd = (byte: number | undefined): boolean => byte === 0x0a || byte === 0x0d;
  if (format !== 'json' && encoding.name === 'utf-16le') {
    return last === 0 && isEnd(before) ? new Uint8Array() : Buffer.from('\n', 'utf16le');
  }
  if (format !== 'json' && encoding.name === 'utf-16be') {
    return isEnd(last) && before === 0 ? new Uint8Array() : Buffer.from([0, 0x0a]);
  }
  return isEnd(last) && !isCut ? new Uint8Array() : Buffer.from('\n');
}

async function copyRange(
  from: string,
  { start, end }: { start: number; end: number },
  to: string,
): Promise<void> {
  await pipeline(
    createReadStream(from, { start, end: end - 1 }),
    createWriteStream(to, { flags: 'a' }),
  );
}

/** Removes a file, or cuts it if it is longer; resolves with the size that it has then. */
async function cutTo(path: string, bytes: number): Promise<number> {
  const size =
    bytes === 0
      ? 0
      : await stat(path).then(
          ({ size }) => size,
          () => 0,
        );
  if (size === 0) await rm(path, { force: true });
  else if (size > bytes) await truncate(path, bytes);
  return Math.min(size, bytes);
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  if (b === '-') return false;
  const [one, other] = await Promise.all([a, b].map((path) => stat(path).catch(() => null)));
  return one != null && other != null && one.ino === other.ino && one.dev === other.dev;
}
