import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { Hono } from 'hono';

import { sendAsset, toAsset, type Asset } from './asset.ts';
import type { AppEnv } from './env.ts';

/** Swagger UI needs inline styles and data URLs for its arrows, but runs no inline script. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width" />
    <title>Millrace API</title>
    <link rel="icon" type="image/png" href="/docs/reference/favicon-32x32.png" />
    <link rel="stylesheet" href="/docs/reference/swagger-ui.css" />
    <link rel="stylesheet" href="/docs/reference/page.css" />
  </head>
  <body>
    <div id="reference"></div>
    <noscript>This page needs JavaScript; the document is at <a href="/v1/openapi.json">/v1/openapi.json</a>.</noscript>
    <script src="/docs/reference/swagger-ui-bundle.js"></script>
    <script src="/docs/reference/page.js"></script>
  </body>
</html>
`;

const STYLE = `body { margin: 0; background: #fafafa; }
.swagger-ui .info { margin: 24px 0; }
.swagger-ui .scheme-container { box-shadow: none; border-bottom: 1px solid #ddd; padding: 12px 0; }
`;

const SCRIPT = `SwaggerUIBundle({
  url: '/v1/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  displayOperationId: false,
  filter: true,
  validatorUrl: null,
});
`;

/** The files of the package that are served, and no others, by name. */
const VENDORED = {
  'swagger-ui.css': 'text/css',
  'swagger-ui-bundle.js': 'text/javascript',
  'favicon-32x32.png': 'image/png',
};

/**
 * Serves `/docs/reference`, the OpenAPI document for people, without anything from other servers. It takes no key
 * and shows no data; to try a request there, one enters a key.
 */
export function createReference(): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const assets = new Map<string, Promise<Asset>>(); // read once, at the first request

  app.get('/docs/reference', (c) =>
    c.html(PAGE, 200, {
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    }),
  );

  app.get('/docs/reference/:file', async (c, next) => {
    const name = c.req.param('file');
    const load = loaderOf(name);
    if (load === null) return next();
    let loading = assets.get(name);
    if (loading === undefined) assets.set(name, (loading = load()));
    return sendAsset(c, await loading, { 'cache-control': 'public, max-age=3600' });
  });

  return app;
}

function loaderOf(name: string): (() => Promise<Asset>) | null {
  if (name === 'page.css') return () => toAsset('text/css', Buffer.from(STYLE));
  if (name === 'page.js') return () => toAsset('text/javascript', Buffer.from(SCRIPT));
  if (!Object.hasOwn(VENDORED, name)) return null;
  return async () => {
    const file = fileURLToPath(import.meta.resolve(`swagger-ui-dist/${name}`));
    return toAsset(VENDORED[name as keyof typeof VENDORED], await readFile(file));
  };
}
