/** A line of text, or why it can't be read; nothing is read after that. */
export type Line = { number: number; isWhole: boolean } & ({ text: string } | { fault: string });

/**
 * A record of 1 MiB, with each character escaped as Python does, fits three times: as JSON with its schema, and
 * before and after a change.
 */
export const LINE_BYTES = 16 * 1024 * 1024;

const [NEWLINE, RETURN] = [0x0a, 0x0d];
const MARK = '\uFEFF';

/**
 * Reads lines of UTF-8, all that each chunk completes together, in memory bounded by `most` bytes; blank ones are
 * left out. The last line needs no newline, but is then not `isWhole`. A longer line, or one that is not UTF-8, is
 * a fault, with which reading ends.
 */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  most = LINE_BYTES,
): AsyncGenerator<Line[]> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let number = 0;
  let held: Uint8Array[] = [];
  let heldBytes = 0;

  function take(last: Uint8Array, isWhole: boolean): Line | null {
    const all = held.length === 0 ? last : Buffer.concat([...held, last]);
    held = [];
    heldBytes = 0;
    number++;
    const bytes = all.at(-1) === RETURN ? all.subarray(0, -1) : all;
    if (bytes.byteLength > most) return { number, isWhole, fault: tooLong(most) };
    try {
      const decoded = decoder.decode(bytes);
      const text = number === 1 && decoded.startsWith(MARK) ? decoded.slice(1) : decoded;
      return text.trim() === '' ? null : { number, isWhole, text };
    } catch {
      return { number, isWhole, fault: 'is not UTF-8' };
    }
  }

  for await (const chunk of chunks) {
    const lines: Line[] = [];
    let begin = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, begin)) {
      const line = take(chunk.subarray(begin, at), true);
      begin = at + 1;
      if (line === null) continue;
      lines.push(line);
      if ('fault' in line) break;
    }
    const isBroken = lines.length > 0 && 'fault' in lines.at(-1)!;
    if (!isBroken && begin < chunk.byteLength) {
      held.push(chunk.subarray(begin));
      heldBytes += chunk.byteLength - begin;
    }
    const isTooLong = heldBytes > most + 1; // a \r may be its last byte
    if (isTooLong) lines.push({ number: number + 1, isWhole: false, fault: tooLong(most) });
    if (lines.length > 0) yield lines;
    if (isBroken || isTooLong) return;
  }
  if (heldBytes === 0) return;
  const last = take(new Uint8Array(), false);
  if (last !== null) yield [last];
}

function tooLong(bytes: number): string {
  return `is longer than ${bytes} bytes`;
}
