import { isUtf8 } from 'node:buffer';

import { formatLsn, type Lsn } from './lsn.ts';

/** What a server sent is not what the protocol allows; the text names the message and its LSN. */
export class ProtocolError extends Error {}

/** In place of a text that is not UTF-8, as databases with the encoding SQL_ASCII may hold. */
export const NOT_UTF8 = Symbol('not UTF-8');

/** In place of a text that is not read because the message has so many bytes of texts before it. */
export const TOO_LARGE = Symbol('too large');

/** More than a record may have, and less than a text in JavaScript can. */
const MOST_TEXT_BYTES = 64 * 1024 * 1024;
const REPLACEMENT = '\uFFFD';

/** Reads a message from its first byte to its last; throws a `ProtocolError` instead of reading beyond its end. */
export interface ByteReader {
  uint8(): number;
  int16(): number;
  uint32(): number;
  uint64(): bigint;
  /** Signed, as Postgres' times are: microseconds since 2000. */
  int64(): bigint;
  /** A text that ends with a zero byte. */
  text(): string;
  /** A text of so many bytes. */
  textOf(length: number): string | typeof NOT_UTF8 | typeof TOO_LARGE;
  /** A view of so many bytes, valid as long as the message itself. */
  bytes(length: number): Buffer;
  /** Throws unless everything has been read. */
  end(): void;
  fail(what: string): never;
}

/** Opens a reader of a message, which errors call `name`. Nothing is copied but the texts that are read. */
export function readBytes(message: Buffer, name: string, lsn: Lsn): ByteReader {
  let at = 0;
  let room = MOST_TEXT_BYTES;

  function fail(what: string): never {
    throw new ProtocolError(`The ${name} at ${formatLsn(lsn)} can't be read: ${what}`);
  }

  /** Moves on by so many bytes; returns where they begin. */
  function skip(length: number): number {
    const start = at;
    if (length < 0) fail(`it has a length of ${length} at byte ${at}`);
    if (start + length > message.length) {
      fail(`it ends after ${message.length} bytes, and ${length} more are due at byte ${at}`);
    }
    at += length;
    return start;
  }

  function text(): string {
    const start = at;
    const end = message.indexOf(0, start);
    if (end === -1) fail(`the text at byte ${start} does not end`);
    at = end + 1;
    return message.toString('utf8', start, end);
  }

  function textOf(length: number): ReturnType<ByteReader['textOf']> {
    const start = skip(length);
    if (length > room) return TOO_LARGE;
    room -= length;
    const read = message.toString('utf8', start, at);
    // Only bytes that are not UTF-8 need a second look; a real U+FFFD passes it.
    if (!read.includes(REPLACEMENT) || isUtf8(message.subarray(start, at))) return read;
    return NOT_UTF8;
  }

  return {
    uint8: () => message.readUInt8(skip(1)),
    int16: () => message.readInt16BE(skip(2)),
    uint32: () => message.readUInt32BE(skip(4)),
    uint64: () => message.readBigUInt64BE(skip(8)),
    int64: () => message.readBigInt64BE(skip(8)),
    text,
    textOf,
    bytes: (length) => {
      const start = skip(length);
      return message.subarray(start, at);
    },
    end: () => {
      if (at < message.length) fail(`${message.length - at} bytes are left at its end`);
    },
    fail,
  };
}
