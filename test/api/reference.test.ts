import { expect, test } from 'vitest';

import { openOwnApp } from '../support/app.ts';

test('the reference loads nothing from elsewhere and runs no inline script', async () => {
  await using api = await openOwnApp();
  const page = await api.app.request('/docs/reference');
  expect(page.status).toBe(200);
  const policy = page.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self';");
  expect(policy).not.toMatch(/script-src[^;]*unsafe|https?:/u);
  const html = await page.text();
  expect(html).not.toMatch(/<script(?![^>]* src="\/docs\/reference\/)|https?:\/\//u);
  const links = [...html.matchAll(/(?:src|href)="(\/docs\/reference\/[^"]+)"/gu)].map(
    ([, link = '']) => link,
  );
  expect(links).toHaveLength(5);
  for (const link of links) {
    const asset = await api.app.request(link);
    expect({ link, status: asset.status }).toEqual({ link, status: 200 });
    expect(asset.headers.get('x-content-type-options')).toBe('nosniff');
    expect((await asset.arrayBuffer()).byteLength).toBeGreaterThan(100);
    const again = await api.app.request(link, {
      headers: { 'if-none-match': asset.headers.get('etag') ?? '' },
    });
    expect(again.status).toBe(304);
  }
});

test('only the files of the page are served, and compressed where the request accepts that', async () => {
  await using api = await openOwnApp();
  for (const file of [
    'package.json',
    'swagger-ui-bundle.js.map',
    '..%2fpackage.json',
    'toString',
  ]) {
    expect((await api.app.request(`/docs/reference/${file}`)).status).toBe(404);
  }
  const zipped = await api.app.request('/docs/reference/swagger-ui-bundle.js', {
    headers: { 'accept-encoding': 'gzip, br' },
  });
  expect(zipped.headers.get('content-encoding')).toBe('gzip');
  expect((await zipped.arrayBuffer()).byteLength).toBeLessThan(700_000);
});
