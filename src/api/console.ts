import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

import type { Context, NotFoundHandler } from 'hono';

import type { AppEnv } from './env.ts';

const BUILT = fileURLToPath(new URL('../../dist/console', import.meta.url));

/** The content security policy of the console. */
export const CONSOLE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** Addresses that are pages of the console, whatever content types the client accepts. */
const PAGES = /^\/(?:$|(?:signin|targets|consumers|dead-letters|alerts|streams|settings)(?:\/|$))/u;
const NOT_OURS = /^\/(?:v1|docs|metrics|healthz|readyz|assets)(?:\/|$)/u;

interface ConsoleFile {
  bytes: Buffer<ArrayBuffer>;
  gzipped: Buffer<ArrayBuffer>;
  type: string;
}

/**
 * Serves the console where nothing else is served. Its hashed files may be cached forever; any other
 * address that a browser opens is its page; the rest goes to `otherwise`. Files are read at the first use.
 */
export function createConsole(
  otherwise: NotFoundHandler<AppEnv>,
  folder = BUILT,
): NotFoundHandler<AppEnv> {
  let reading: Promise<Map<string, ConsoleFile>> | null = null;

  return async (c) => {
    const { method, path } = c.req;
    if (method !== 'GET' && method !== 'HEAD') return otherwise(c);
    const files = await (reading ??= readAll(folder));
    if (files.size === 0) reading = null; // it may be built later
    const asset = path === '/index.html' ? undefined : files.get(path);
    if (asset !== undefined) return send(c, asset, path.startsWith('/assets/'));
    if (!isPage(c, path)) return otherwise(c);
    const page = files.get('/index.html');
    if (page === undefined) {
      return c.text('The console is not built. Run npm start or npm run build.\n', 503);
    }
    return send(c, page, false);
  };
}

function isPage(c: Context, path: string): boolean {
  if (PAGES.test(path)) return true;
  return !NOT_OURS.test(path) && c.req.header('accept')?.includes('text/html') === true;
}

function send(c: Context, file: ConsoleFile, forever: boolean): Response {
  const zipped = c.req.header('accept-encoding')?.includes('gzip') === true;
  return c.body(zipped ? file.gzipped : file.bytes, 200, {
    'content-type': file.type,
    'cache-control': forever ? 'public, max-age=31536000, immutable' : 'no-cache',
    vary: 'accept-encoding',
    ...(zipped ? { 'content-encoding': 'gzip' } : {}),
    'content-security-policy': CONSOLE_POLICY,
    'cross-origin-opener-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  });
}

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

async function readAll(folder: string): Promise<Map<string, ConsoleFile>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = new Map<string, ConsoleFile>();
  for (const entry of entries) {
    const type = TYPES[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const place = join(entry.parentPath, entry.name);
    const bytes = await readFile(place);
    const gzipped = await promisify(gzip)(bytes, { level: 9 });
    const path = `/${relative(folder, place).replaceAll('\\', '/')}`;
    files.set(path, { bytes, gzipped, type });
  }
  return files;
}
