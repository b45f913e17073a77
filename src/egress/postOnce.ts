import type { Readable } from 'node:stream';

import { request, type Dispatcher } from 'undici';

import type { Egress } from './egress.ts';

const BODY_BYTES = 65_536;
/** How long the body of an answer is read if only the status counts, ms. */
const DROP_MS = 1_000;

/** An answer; its body is cut off after 64 KB. */
export interface PostAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

export interface Posting {
  headers: Record<string, string>;
  body: string;
  /** The time limit for everything from the DNS look-up to the end of the answer. */
  timeoutMs: number;
  /** Whether the answer is complete once its headers are here: its body is read for a second at most, and dropped. */
  statusOnly?: boolean;
}

/**
 * Sends one POST through the guard on a connection of its own; for requests that are rare. Rejects
 * with the error of the system or of undici when no answer comes in time.
 */
export async function postOnce(egress: Egress, url: string, posting: Posting): Promise<PostAnswer> {
  const { headers, body, timeoutMs } = posting;
  const outlet = egress.open({
    origin: new URL(url).origin,
    connections: 1,
    connectTimeoutMs: timeoutMs,
  });
  try {
    const answer = await request(url, {
      method: 'POST',
      headers,
      body,
      signal: AbortSignal.timeout(timeoutMs),
      dispatcher: outlet as Dispatcher,
    });
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: posting.statusOnly === true ? await drop(answer.body) : await readSome(answer.body),
    };
  } finally {
    await outlet.destroy();
  }
}

/** Reads a body that may never end, or end with an error. */
async function drop(body: Readable): Promise<string> {
  const timer = setTimeout(() => body.destroy(), DROP_MS);
  await readSome(body).catch(() => undefined); // the status has come, whatever happens to the rest
  clearTimeout(timer);
  return '';
}

async function readSome(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > BODY_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, BODY_BYTES).toString('utf8');
}
