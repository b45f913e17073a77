import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';

import { CliError, usage } from './exit.ts';
import type { FileIdentity } from './importCheckpoint.ts';
import { unreadable } from './values.ts';

/** A source before it is read. */
export interface OpenSource {
  identity: FileIdentity;
  /** Its first MB, or all of it. */
  head: Uint8Array;
  /** Bytes; null for stdin. */
  size: number | null;
  /** Its bytes from the beginning. */
  chunks: AsyncIterable<Uint8Array>;
}

const HEAD_BYTES = 1024 * 1024;
const CHUNK_BYTES = 256 * 1024;

/** Opens a file, or stdin for `-`. Rejects with a `CliError` when it can't be read. */
export async function openSource(path: string): Promise<OpenSource> {
  return path === '-' ? openStdin() : openFile(path);
}

async function openFile(path: string): Promise<OpenSource> {
  try {
    await using handle = await open(path, 'r');
    const about = await handle.stat();
    if (!about.isFile()) throw usage(`${path} is not a file`);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    const head = buffer.subarray(0, bytesRead);
    const identity = { size: about.size, modified: about.mtime.toISOString(), head: hashOf(head) };
    const chunks = createReadStream(path, { highWaterMark: CHUNK_BYTES });
    return { identity, head, size: about.size, chunks };
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw unreadable(path, error);
  }
}

async function openStdin(): Promise<OpenSource> {
  const iterator = (process.stdin as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < HEAD_BYTES) {
    const next = await iterator.next();
    if (next.done === true) break;
    first.push(next.value);
    bytes += next.value.byteLength;
  }
  const beginning = Buffer.concat(first);
  async function* chunks(): AsyncGenerator<Uint8Array> {
    yield beginning;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  const head = beginning.subarray(0, HEAD_BYTES);
  return {
    identity: { size: 0, modified: '', head: hashOf(head) },
    head,
    size: null,
    chunks: chunks(),
  };
}

function hashOf(head: Uint8Array): string {
  return createHash('sha256').update(head).digest('hex');
}
