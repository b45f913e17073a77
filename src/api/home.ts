import { createHash } from 'node:crypto';
import type { Handler } from 'hono';
import { html, raw } from 'hono/html';
import type { Info } from '../schema.ts';
import type { AppEnv } from './env.ts';

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; margin: 4rem auto; max-width: 40rem; padding: 0 1rem;
         color: #1b1f24; background: #fff; }
  a { color: #0b57d0; }
  dt { color: #59636e; } dd { margin: 0 0 .75rem; }
  @media (prefers-color-scheme: dark) {
    body { color: #e6edf3; background: #0d1117; } a { color: #7ab7ff; } dt { color: #9198a1; }
  }
`;

/** As a whole: a blank more between its tags would be another hash. */
const STYLE_TAG = raw(`<style>${STYLE}</style>`);

const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The page at `/`: what is running and where to look. It takes no key, so it tells nothing about data. */
export function createHome(info: Info): Handler<AppEnv> {
  return (c) =>
    c.html(page(info), 200, {
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
}

function page({ version, region, temporal }: Info) {
  const ui =
    temporal.ui_url === null
      ? ''
      : html`<dt>Temporal</dt>
          <dd><a href="${temporal.ui_url}">Each consumer is a workflow there</a></dd>`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>Millrace</title>
        ${STYLE_TAG}
      </head>
      <body>
        <h1>Millrace</h1>
        <p>Records and events in, signed webhooks out.</p>
        <dl>
          <dt>Version</dt>
          <dd>${version}</dd>
          <dt>Region</dt>
          <dd>${region}</dd>
          <dt>API</dt>
          <dd>
            <a href="/docs">Reference</a> · <a href="/v1/openapi.json">OpenAPI document</a> ·
            <a href="/readyz">Ready?</a>
          </dd>
          ${ui}
        </dl>
      </body>
    </html>`;
}
