import { createStrictDecoder, whyUndecodable, type TextEncoding } from './importEncoding.ts';

/** One line of a text source, however it ends: with `\n`, `\r\n`, `\r` or the end of the source. */
export interface TextLine {
  /** Counted from 1. */
  number: number;
  /** Its text without the end of the line. If it can't be decoded, only its ASCII characters are right. */
  text: string;
  ending: '\n' | '\r\n' | '\r' | '';
  /** Why it can't be used: undecodable or too long; null otherwise. */
  fault: string | null;
  /** Whether it is longer than `LINE_BYTES`; `raw` and `text` then have only its beginning. */
  isCut: boolean;
  /** Its bytes in the source, with the end of the line. */
  raw: Uint8Array;
  /** Offsets in the source, in bytes. */
  start: number;
  end: number;
}

/** One entry in the source. */
export interface SourceLine {
  /** Counted from 1: its first line in a text file, or the element of a JSON array. */
  number: number;
  /** How many lines of the text file it has; 1 for an element. */
  lines: number;
  /** JSON; empty when there is a fault. */
  text: string;
  /** Why it could not be read; null otherwise. */
  fault: string | null;
  /** Its bytes in the source; only the beginning when it is too long. */
  raw: Uint8Array;
  isCut: boolean;
  /** Offsets in what is read, which is UTF-8 for an array and the source as it is otherwise: its first byte, and what comes after it. */
  start: number;
  end: number;
}

/** A longer line can't be an entry, which has `data` and `changes` of at most 1 MiB each, and names. */
export const LINE_BYTES = 3 * 1024 * 1024;
/** The part of a line that is too long which is kept to show it, bytes. */
const SHOWN_BYTES = 4 * 1024;
const [NEWLINE, RETURN] = [0x0a, 0x0d];

/** Says why a line of more than `bytes` is refused. */
export function tooLong(bytes = LINE_BYTES): string {
  return `is longer than ${bytes} bytes`;
}

/**
 * Reads the lines of a source one after another, in memory bounded by `LINE_BYTES`. `chunks` begin at
 * `from.offset`, the beginning of a line; a byte order mark there belongs to no line.
 */
export async function* readTextLines(source: {
  chunks: AsyncIterable<Uint8Array>;
  encoding: TextEncoding;
  from: { offset: number; number: number };
}): AsyncGenerator<TextLine> {
  const { encoding, from } = source;
  const unit = unitOf(encoding);
  const decoder = createStrictDecoder(encoding);
  const lossy = new TextDecoder(encoding.name, { ignoreBOM: true });
  const most = LINE_BYTES * unit.bytes;
  const mostWithEnding = most + 2 * unit.bytes;
  let { number, offset } = from;
  let toSkip = offset === 0 ? encoding.mark.byteLength : 0;
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  let start = offset + toSkip;

  function hold(part: Uint8Array): void {
    heldBytes += part.byteLength;
    if (heldBytes <= mostWithEnding) held.push(part);
    else if (held.length > 0) held = [Buffer.concat(held).subarray(0, SHOWN_BYTES)];
    else held = [part.subarray(0, SHOWN_BYTES)];
  }

  function end(ending: TextLine['ending']): TextLine {
    const raw = held.length === 1 ? held[0]! : Buffer.concat(held);
    const line = { number: ++number, ending, raw, start, end: start + heldBytes };
    const isCut = heldBytes > mostWithEnding;
    const content = isCut ? raw : raw.subarray(0, raw.byteLength - ending.length * unit.bytes);
    held = [];
    heldBytes = 0;
    start = line.end;
    if (isCut) return { ...line, text: lossy.decode(content), fault: tooLong(most), isCut };
    try {
      return { ...line, text: decoder.decode(content), fault: null, isCut };
    } catch {
      return { ...line, text: lossy.decode(content), fault: whyUndecodable(encoding), isCut };
    }
  }

  for await (const whole of wholeUnits(source.chunks, unit)) {
    const chunk = whole.subarray(toSkip);
    toSkip = 0;
    let begin = 0;
    for (let at = endOfLine(chunk, 0, unit); at >= 0; at = endOfLine(chunk, begin, unit)) {
      const isReturn = chunk[at + unit.low] === RETURN;
      const isPair = isReturn && endOfLine(chunk, at + unit.bytes, unit, NEWLINE) >= 0;
      const next = at + unit.bytes * (isPair ? 2 : 1);
      hold(chunk.subarray(begin, next));
      begin = next;
      yield end(isPair ? '\r\n' : isReturn ? '\r' : '\n');
    }
    if (begin < chunk.byteLength) hold(chunk.subarray(begin));
  }
  if (heldBytes > 0) yield end('');
}

/** A code unit: how many bytes it has, and which of them is the low one. */
interface Unit {
  bytes: 1 | 2;
  low: 0 | 1;
}

function unitOf({ name }: TextEncoding): Unit {
  return { bytes: name.startsWith('utf-16') ? 2 : 1, low: name === 'utf-16be' ? 1 : 0 };
}

/**
 * Where the next line ends at or after `from`; -1 when nothing ends there. With `only`, it looks at
 * `from` alone, for that character.
 */
function endOfLine(bytes: Uint8Array, from: number, unit: Unit, only?: number): number {
  const until =
    only === undefined ? bytes.byteLength : Math.min(bytes.byteLength, from + unit.bytes);
  for (let at = from; at + unit.bytes <= until; at += unit.bytes) {
    const one = bytes[at + unit.low];
    if (one !== NEWLINE && (one !== RETURN || only !== undefined)) continue;
    if (unit.bytes === 1 || bytes[at + 1 - unit.low] === 0) return at;
  }
  return -1;
}

/** Cuts chunks so that none ends within a code unit, nor with a `\r` that a `\n` may follow. */
async function* wholeUnits(
  chunks: AsyncIterable<Uint8Array>,
  unit: Unit,
): AsyncGenerator<Uint8Array> {
  let carried: Uint8Array = new Uint8Array();
  for await (const chunk of chunks) {
    const all = carried.byteLength === 0 ? chunk : Buffer.concat([carried, chunk]);
    let whole = all.byteLength - (all.byteLength % unit.bytes);
    if (whole > 0 && all[whole - unit.bytes + unit.low] === RETURN) whole -= unit.bytes;
    carried = all.subarray(whole);
    if (whole > 0) yield all.subarray(0, whole);
  }
  if (carried.byteLength > 0) yield carried;
}
