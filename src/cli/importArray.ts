import { Tokenizer, TokenType } from '@streamparser/json';

import { CliError, EXIT } from './exit.ts';
import { createStrictDecoder, whyUndecodable, type TextEncoding } from './importEncoding.ts';
import { LINE_BYTES, tooLong, type SourceLine } from './importLines.ts';

/**
 * The chunks of an array as UTF-8 without a byte order mark. Rejects with a `CliError` at bytes that
 * can't be decoded from another encoding; what is UTF-8 already is checked by the one who reads it.
 */
export async function* transcoded(
  chunks: AsyncIterable<Uint8Array>,
  encoding: TextEncoding,
): AsyncGenerator<Uint8Array> {
  let toSkip = encoding.mark.byteLength;
  let offset = toSkip;
  const decoder = encoding.name === 'utf-8' ? null : createStrictDecoder(encoding);
  const decode = (bytes?: Uint8Array): Uint8Array => {
    try {
      return Buffer.from(decoder!.decode(bytes, { stream: bytes !== undefined }));
    } catch {
      throw broken(`near byte ${offset} of the file`, `it ${whyUndecodable(encoding)}`);
    }
  };
  for await (const chunk of chunks) {
    const part = chunk.subarray(toSkip);
    toSkip = 0;
    yield decoder === null ? part : decode(part);
    offset += part.byteLength;
  }
  if (decoder !== null) yield decode();
}

/**
 * Reads the elements of one array, cut out as text by a tokenizer, so that numbers are not rounded.
 * Rejects with a `CliError` where the array can't be read on; it says after which element.
 */
export async function* readArray(source: {
  chunks: AsyncIterable<Uint8Array>;
  encoding: TextEncoding;
  from: { offset: number; number: number };
}): AsyncGenerator<SourceLine> {
  const { chunks, from, encoding } = source;
  const tokenizer = new Tokenizer({ stringBufferSize: 64 * 1024 });
  const utf8 = createStrictDecoder({ name: 'utf-8' });
  let depth = from.offset > 0 ? 1 : 0;
  let isOver = false;
  let { number } = from;
  let began: number | null = null;
  let found: { start: number; comma: number }[] = [];
  let fault: string | null = null;
  tokenizer.onError = (error) => (fault ??= whyOf(error, encoding));
  tokenizer.onToken = ({ token, offset }) => {
    if (isOver) fault ??= 'there is something after the array';
    if (depth === 0 && token !== TokenType.LEFT_BRACKET) fault ??= 'it is not an array';
    const opens = token === TokenType.LEFT_BRACKET || token === TokenType.LEFT_BRACE;
    const closes = token === TokenType.RIGHT_BRACKET || token === TokenType.RIGHT_BRACE;
    if (depth === 1 && (closes || token === TokenType.COMMA)) {
      if (began !== null) found.push({ start: began, comma: offset });
      began = null;
    } else if (depth === 1) began ??= offset;
    if (opens) depth++;
    if (closes && --depth === 0) isOver = true;
  };
  let kept: Uint8Array = new Uint8Array();
  let keptFrom = 0; // offset of `kept` in what was read here
  const stop = (why: string): CliError => {
    const text = Buffer.from(kept.subarray(Math.max(0, (began ?? keptFrom) - keptFrom)));
    const shown = JSON.stringify(text.subarray(0, 100).toString('latin1').trim());
    const near = from.offset + (began ?? keptFrom);
    return broken(`near byte ${near}, after element ${number}, at ${shown}`, why);
  };
  for await (const chunk of chunks) {
    if (chunk.byteLength === 0) continue;
    kept = kept.byteLength === 0 ? chunk : Buffer.concat([kept, chunk]);
    tokenizer.write(chunk);
    for (const { start, comma } of found) {
      number++;
      const raw = kept.subarray(start - keptFrom, comma - keptFrom);
      const place = { start: from.offset + start, end: from.offset + comma + 1 };
      yield { number, lines: 1, raw, ...place, isCut: false, text: utf8.decode(raw), fault: null };
    }
    found = [];
    const seen = keptFrom + kept.byteLength;
    if (fault !== null) throw stop(fault);
    const keepFrom = began ?? seen;
    if (seen - keepFrom > LINE_BYTES) throw stop(`element ${number + 1} ${tooLong()}`);
    kept = kept.subarray(keepFrom - keptFrom);
    keptFrom = keepFrom;
  }
  if (!isOver) throw stop('it ends before the array does');
}

function whyOf({ message }: Error, encoding: TextEncoding): string {
  if (message.includes('not valid for encoding')) return `it ${whyUndecodable(encoding)}`;
  return message.replace(/ at chunk.*$/u, '');
}

function broken(where: string, why: string): CliError {
  return new CliError(
    EXIT.failed,
    `The JSON array can't be read ${where}: ${why}`,
    'Everything before that place is imported, and nothing after it. An import of NDJSON continues after a bad line.',
  );
}
