import type { Context } from 'hono';

import { parseJson } from '../streams/exactJson.ts';
import { ApiError } from './errors.ts';

/** The most bytes that the body of a JSON request may have. */
export const JSON_BYTES = 10 * 1024 * 1024;

/** The two forms of an ingest body. */
export type Media = 'json' | 'ndjson';

/** Which form of body the request declares. Throws a 415 for any other. */
export function mediaOf(c: Context): Media {
  const encoding = c.req.header('content-encoding') ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    throw unsupported(
      `content-encoding ${encoding} is not supported; send the body without an encoding`,
    );
  }
  const type = (c.req.header('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  if (type === 'application/json') return 'json';
  if (type === 'application/x-ndjson') return 'ndjson';
  throw unsupported(
    'The body must be sent as content-type: application/json or application/x-ndjson',
  );
}

/** Throws a 415 unless the request declares this type. */
export function needMedia(c: Context, needed: 'application/json'): void {
  const type = (c.req.header('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  if (type !== needed) throw unsupported(`The body must be sent as content-type: ${needed}`);
}

/**
 * Parses the body without rounding numbers. Rejects with a 413 `ApiError` above 10 MiB, before reading
 * if a length is declared, and with a 400 for anything but JSON in UTF-8.
 */
export async function readJson(c: Context): Promise<unknown> {
  await boundBody(c);
  const bytes = await c.req.arrayBuffer();
  try {
    return parseJson(decodeUtf8(bytes));
  } catch (cause) {
    throw malformed(cause);
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Decodes UTF-8. Throws a `TypeError` for invalid bytes, which Node would replace by U+FFFD. */
export function decodeUtf8(bytes: ArrayBuffer | Uint8Array): string {
  return decoder.decode(bytes);
}

/** Says what is wrong with a text that does not parse, without repeating its content. */
export function whyMalformed(cause: unknown): string {
  if (cause instanceof RangeError) return 'is nested too deeply';
  return cause instanceof TypeError ? 'is not UTF-8' : 'is not JSON';
}

/**
 * Yields the body as it arrives. If the consumer stops early, the rest is read and dropped until the server
 * cuts the connection, half a second after the answer. Closing it immediately would reset it, and a client that
 * sends everything before it reads would lose the answer (RFC 9112, 9.6).
 */
export async function* chunksOf(c: Context): AsyncGenerator<Uint8Array> {
  const { body } = c.req.raw;
  if (body === null) return;
  try {
    yield* body.values({ preventCancel: true });
  } finally {
    body.pipeTo(new WritableStream()).catch(() => undefined); // the connection was cut
  }
}

/**
 * Rejects with a 413 above `maxBytes`: before reading if a length is declared, otherwise as soon as more
 * bytes have come. Afterwards the body can still be read as a whole.
 */
export async function boundBody(c: Context, maxBytes = JSON_BYTES): Promise<void> {
  const declared = c.req.header('content-length');
  if (Number(declared) > maxBytes) throw tooLarge(maxBytes);
  if (declared !== undefined || c.req.raw.body === null) return;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunksOf(c)) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  c.req.raw = new Request(c.req.raw, { method: c.req.method, body: Buffer.concat(chunks) });
}

/** The 400 for a body that does not parse. */
export function malformed(cause: unknown): ApiError {
  const detail = `The body ${whyMalformed(cause)}`;
  return new ApiError({ status: 400, code: 'malformed_json', detail, cause });
}

/** The 413 for a request body of more than `bytes`. */
export function tooLarge(bytes = JSON_BYTES): ApiError {
  return new ApiError({
    status: 413,
    code: 'too_large',
    detail:
      bytes === JSON_BYTES
        ? `A JSON request may have at most ${bytes} bytes; send more as application/x-ndjson`
        : `This request may have at most ${bytes} bytes`,
  });
}

function unsupported(detail: string): ApiError {
  return new ApiError({ status: 415, code: 'unsupported_media_type', detail });
}
