import { CliError, EXIT } from './exit.ts';
import { createElementFinder, type Element } from './importElements.ts';
import { createStrictDecoder, whyUndecodable, type TextEncoding } from './importEncoding.ts';
import { LINE_BYTES, tooLong, type SourceLine } from './importLines.ts';

/** How much of the text is shown at which reading can't continue. */
const SHOWN_BYTES = 100;
const UTF_8 = createStrictDecoder({ name: 'utf-8' });

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
 * Reads the elements of one array as text, so that numbers are not rounded; whether each is JSON is not
 * checked. Rejects with a `CliError` if the array can't be read any further, which says after which element.
 */
export async function* readArray(source: {
  chunks: AsyncIterable<Uint8Array>;
  from: { offset: number; number: number };
}): AsyncGenerator<SourceLine> {
  const { chunks, from } = source;
  const finder = createElementFinder(from.offset);
  let { number } = from;
  let kept: Uint8Array = new Uint8Array();
  let keptFrom = from.offset; // the offset of `kept`

  function lineOf({ start, end, next, fault }: Element): SourceLine {
    number++;
    const raw = kept.subarray(start - keptFrom, end - keptFrom);
    const read = fault === null ? decoded(raw) : { text: '', fault };
    return { number, lines: 1, raw, isCut: false, start, end: next, ...read };
  }

  function stop(why: string): CliError {
    const at = finder.began ?? finder.offset;
    const text = Buffer.from(kept.subarray(at - keptFrom)).subarray(0, SHOWN_BYTES);
    const shown = JSON.stringify(text.toString('latin1').trim());
    return broken(`near byte ${at}, after element ${number}, at ${shown}`, why);
  }

  for await (const chunk of chunks) {
    kept = kept.byteLength === 0 ? chunk : Buffer.concat([kept, chunk]);
    for (const one of finder.take(chunk)) yield lineOf(one);
    if (finder.fault !== null) throw stop(finder.fault);
    const seen = keptFrom + kept.byteLength;
    const keepFrom = finder.began ?? seen;
    if (seen - keepFrom > LINE_BYTES) {
      throw stop(`element ${number + 1} ${tooLong()}, or a quote or bracket of it is not closed`);
    }
    kept = kept.subarray(keepFrom - keptFrom);
    keptFrom = keepFrom;
  }
  for (const one of finder.end()) yield lineOf(one);
  if (finder.fault !== null) throw stop(finder.fault);
}

function decoded(raw: Uint8Array): { text: string; fault: string | null } {
  try {
    return { text: UTF_8.decode(raw), fault: null };
  } catch {
    return { text: '', fault: whyUndecodable({ name: 'utf-8' }) };
  }
}

function broken(where: string, why: string): CliError {
  return new CliError(
    EXIT.failed,
    `The JSON array can't be read ${where}: ${why}`,
    'Everything before that place is imported or listed, and nothing after it.',
  );
}
