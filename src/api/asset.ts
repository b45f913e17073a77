import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

import type { Context } from 'hono';

import type { AppEnv } from './env.ts';

/** A file that is served from memory. */
export interface Asset {
  type: string;
  body: Buffer;
  zipped: Buffer;
  etag: string;
}

/** Prepares a file to be served: compressed once, and with an ETag of its content. */
export async function toAsset(type: string, body: Buffer): Promise<Asset> {
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  return { type, body, zipped: await promisify(gzip)(body), etag };
}

/**
 * Answers with a file: 304 if the client has it, compressed if the client accepts that, and never with another
 * type.
 */
export function sendAsset(
  c: Context<AppEnv>,
  { type, body, zipped, etag }: Asset,
  more: Record<string, string>,
): Response {
  const headers = {
    ...more,
    etag,
    'content-type': type,
    'x-content-type-options': 'nosniff',
    vary: 'accept-encoding',
  };
  if (isThere(c.req.header('if-none-match'), etag)) return c.body(null, 304, headers);
  const zips = c.req.header('accept-encoding')?.includes('gzip') === true;
  return zips
    ? c.body(new Uint8Array(zipped), 200, { ...headers, 'content-encoding': 'gzip' })
    : c.body(new Uint8Array(body), 200, headers);
}

/** Whether a header `If-None-Match` names this tag. A proxy that compresses again makes a weak tag of ours. */
export function isThere(tags: string | undefined, etag: string): boolean {
  const named = tags?.split(',').map((tag) => tag.trim().replace(/^W\//u, '')) ?? [];
  return named.includes(etag) || named.includes('*');
}
