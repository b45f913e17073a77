import { Hono } from 'hono';

import { sendAsset, toAsset, type Asset } from './asset.ts';
import type { AppEnv } from './env.ts';

/**
 * Pages run only the script and use only the style sheet that are served here, both as files; nothing comes
 * from elsewhere.
 */
export const DOCS_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** An image that is opened by itself is a document, and may have styles of its own. */
const IMAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

const HEADERS = {
  // Requested again each time, so that a page and its script have the same version.
  'cache-control': 'no-cache',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
};

interface Prepared {
  files: Map<string, Asset>;
  missing: string;
}

/**
 * Serves the documentation at `/docs`, its Markdown, and `/llms.txt`, without a key. All of it is read and
 * rendered at the first request and kept; an address that is not part of it is not looked for anywhere else.
 */
export function createDocs(): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  let preparing: Promise<Prepared> | null = null;

  async function prepared(): Promise<Prepared> {
    try {
      return await (preparing ??= prepare());
    } catch (error) {
      preparing = null; // a file was missing: it may be there later
      throw error;
    }
  }

  app.get('/docs/', (c) => c.redirect('/docs', 301));
  for (const path of ['/docs/*', '/llms.txt']) {
    app.get(path, async (c, next) => {
      const { files, missing } = await prepared();
      const asset = files.get(c.req.path);
      if (asset !== undefined) {
        const isImage = asset.type.startsWith('image/');
        const policy = isImage ? IMAGE_POLICY : DOCS_POLICY;
        return sendAsset(c, asset, { ...HEADERS, 'content-security-policy': policy });
      }
      if (c.req.header('accept')?.includes('text/html') !== true) return next();
      return c.html(missing, 404, { ...HEADERS, 'content-security-policy': DOCS_POLICY });
    });
  }

  return app;
}

async function prepare(): Promise<Prepared> {
  const { readSite } = await import('../docs/site.ts'); // it needs a parser of Markdown
  const { files, missing } = await readSite();
  const assets = [...files].map(
    async ([path, { type, body }]) => [path, await toAsset(type, Buffer.from(body))] as const,
  );
  return { files: new Map(await Promise.all(assets)), missing };
}
