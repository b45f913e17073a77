import { crc32 } from 'node:zlib';

import { Refusal } from '../db/refusal.ts';
import type { StreamName } from '../schema/stream.ts';

const VERSION = '1';
const LETTERS: Record<StreamName, string> = { records: 'r', events: 'e' };

/** The cursor of a position, as the API hands it out: opaque, exclusive, and bound to its stream. */
export function cursorOf(stream: StreamName, position: number): string {
  const text = `${VERSION}${LETTERS[stream]}${position.toString(36)}`;
  return Buffer.from(`${text}.${checksum(text)}`).toString('base64url');
}

/**
 * The position of a cursor. Throws a 422 `Refusal`, at `pointer` where one is given: `invalid_cursor`
 * for a text that is not a cursor of Millrace, `wrong_stream` for a cursor of the other stream.
 */
export function openCursor(cursor: string, stream: StreamName, pointer?: string): number {
  const at = pointer === undefined ? {} : { pointer };
  const text = Buffer.from(cursor, 'base64url').toString('latin1');
  const parts = /^(1)([re])([0-9a-z]{1,11})\.([0-9a-z]{1,7})$/u.exec(text);
  const position = parts === null ? Number.NaN : Number.parseInt(parts[3]!, 36);
  if (
    parts === null ||
    !Number.isSafeInteger(position) ||
    parts[4] !== checksum(text.split('.')[0]!)
  ) {
    throw new Refusal({
      status: 422,
      code: 'invalid_cursor',
      detail: 'The cursor is not valid: this API has not issued it',
      ...at,
    });
  }
  if (parts[2] !== LETTERS[stream]) {
    throw new Refusal({
      status: 422,
      code: 'wrong_stream',
      detail: `The cursor belongs to the other stream; this is the ${stream} stream`,
      ...at,
    });
  }
  return position;
}

/** Whether a text is a cursor of Millrace, of either stream. */
export function isCursor(text: string): boolean {
  try {
    openCursor(text, 'events');
    return true;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.options.code === 'wrong_stream';
  }
}

/** A checksum that detects typing errors. It does not prevent forgery: a position is no secret. */
function checksum(text: string): string {
  return crc32(text).toString(36);
}
