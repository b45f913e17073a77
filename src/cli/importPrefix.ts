import { createHash, type Hash } from 'node:crypto';

/** The part of a source that has been read so far, as a SHA-256. */
export interface Prefix {
  /** The chunks of the source, from the verified offset on. */
  chunks: AsyncIterable<Uint8Array>;
  /** Says that everything before this offset was read; offsets never go back. */
  pass(offset: number): void;
  /** The SHA-256 of everything before the offset that was passed last, in hex. */
  digest(): string;
}

/** Bytes kept beyond the passed offset: more than that come only from a line that is too long. */
const KEPT_BYTES = 16 * 1024 * 1024;

/**
 * Follows the reading of a source, so that a later reading can tell whether its beginning is still the same.
 * Reads up to `from.offset` first; resolves with null when that part does not have this digest.
 */
export async function followPrefix(
  source: AsyncIterable<Uint8Array>,
  from: { offset: number; digest: string },
): Promise<Prefix | null> {
  const iterator = source[Symbol.asyncIterator]();
  const hash = createHash('sha256');
  let hashed = 0;
  let rest: Uint8Array | null = null;
  while (hashed < from.offset) {
    const next = await iterator.next();
    if (next.done === true) return null;
    const missing = from.offset - hashed;
    hash.update(next.value.subarray(0, missing));
    hashed += Math.min(missing, next.value.byteLength);
    if (next.value.byteLength > missing) rest = next.value.subarray(missing);
  }
  if (from.offset > 0 && digestOf(hash) !== from.digest) return null;
  return createPrefix({ iterator, hash, hashed, rest });
}

function createPrefix(state: {
  iterator: AsyncIterator<Uint8Array>;
  hash: Hash;
  hashed: number;
  rest: Uint8Array | null;
}): Prefix {
  const { iterator, hash } = state;
  let { hashed } = state;
  let passed = hashed;
  let kept: Uint8Array[] = [];
  let keptBytes = 0;
  let folded: string | null = null; // the digest at `passed`, when more than that is hashed already

  function digest(): string {
    if (folded !== null) return folded;
    const first = kept[0]?.subarray(0, passed - hashed);
    return digestOf(hash, first);
  }

  function keep(chunk: Uint8Array): void {
    kept.push(chunk);
    keptBytes += chunk.byteLength;
    if (keptBytes <= KEPT_BYTES) return;
    if (passed >= hashed) folded ??= digest();
    while (kept.length > 0) fold();
  }

  function fold(): void {
    const chunk = kept.shift()!;
    hash.update(chunk);
    hashed += chunk.byteLength;
    keptBytes -= chunk.byteLength;
  }

  async function* chunks(): AsyncGenerator<Uint8Array> {
    if (state.rest !== null) {
      keep(state.rest);
      yield state.rest;
    }
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      keep(next.value);
      yield next.value;
    }
  }

  return {
    chunks: chunks(),
    digest,
    pass: (offset) => {
      passed = offset;
      if (passed >= hashed) folded = null;
      while (kept.length > 0 && hashed + kept[0]!.byteLength <= passed) fold();
    },
  };
}

function digestOf(hash: Hash, more?: Uint8Array): string {
  const copy = hash.copy();
  if (more !== undefined) copy.update(more);
  return copy.digest('hex');
}
