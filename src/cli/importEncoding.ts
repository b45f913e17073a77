import { usage } from './exit.ts';

/** How the bytes of a source become text. */
export interface TextEncoding {
  /** As the WHATWG Encoding standard names it: utf-8, utf-16le, windows-1252 for latin1, … */
  name: string;
  /** The byte order mark at the beginning of the source; empty when it has none. */
  mark: Uint8Array;
}

/** Decodes bytes, with `stream` the first of several parts. */
export interface StrictDecoder {
  decode(bytes?: Uint8Array, options?: { stream?: boolean }): string;
}

const MARKS: [name: string, bytes: number[]][] = [
  ['utf-32', [0xff, 0xfe, 0, 0]],
  ['utf-32', [0, 0, 0xfe, 0xff]],
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
];

/**
 * Finds the encoding of a source by its byte order mark or by `--encoding`; UTF-8 is assumed otherwise.
 * Throws a `CliError` that names the flag when the two contradict each other, when the encoding is not
 * supported, or when the source looks like UTF-16 without a mark.
 */
export function encodingOf(head: Uint8Array, flag: string | undefined): TextEncoding {
  const named = flag === undefined ? null : nameOf(flag);
  const [name, bytes] = MARKS.find(([, mark]) => mark.every((byte, at) => head[at] === byte)) ?? [];
  if (name === 'utf-32') {
    throw usage('The source is UTF-32, which is not supported; convert it to UTF-8');
  }
  if (name !== undefined) {
    const isSame = named === null || named === name || flag?.toLowerCase() === 'utf-16';
    if (!isSame || (flag?.toLowerCase() === 'utf-16' && name === 'utf-8')) {
      throw usage(
        `The source begins with the byte order mark of ${name}, but --encoding is ${named}`,
      );
    }
    return { name, mark: head.subarray(0, bytes!.length) };
  }
  if (named === null && looksLikeUtf16(head)) {
    const guess = head[0] === 0 ? 'utf-16be' : 'utf-16le';
    throw usage(
      `The source looks like UTF-16 without a byte order mark; if it is, give --encoding ${guess}, otherwise --encoding utf-8`,
    );
  }
  return { name: named ?? 'utf-8', mark: new Uint8Array() };
}

/** Creates a decoder that throws a `TypeError` for bytes that are not text, instead of replacing them by U+FFFD. */
export function createStrictDecoder({ name }: Pick<TextEncoding, 'name'>): StrictDecoder {
  return new TextDecoder(name, { fatal: true, ignoreBOM: true });
}

/** Says why bytes can't be decoded, and which flag to give. */
export function whyUndecodable({ name }: Pick<TextEncoding, 'name'>): string {
  const example = name === 'utf-8' ? ', for example --encoding latin1' : '';
  return `is not ${name === 'utf-8' ? 'UTF-8' : name}; --encoding names another encoding${example}`;
}

/** Writes bytes that can't be decoded as text in which each byte beyond ASCII stands as `\xE4`. */
export function escapeBytes(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString('latin1');
  return text.replaceAll(
    /[^\t\n\r -~]/gu,
    (one) => `\\x${one.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

function nameOf(flag: string): string {
  try {
    return new TextDecoder(flag).encoding;
  } catch {
    throw usage(
      `--encoding takes utf-8, utf-16le, utf-16be, latin1, windows-1250, shift_jis or another name of the WHATWG Encoding standard, not ${flag}`,
    );
  }
}

/** Text begins with ASCII in every format that is read, so every other byte is a zero there. */
function looksLikeUtf16([a, b, c, d]: Uint8Array): boolean {
  const isZero = [a === 0, b === 0, c === 0, d === 0].map(Number).join('');
  return isZero === '0101' || isZero === '1010';
}
