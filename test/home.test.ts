import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { KEY, openApp } from './support/app.ts';
import { createDatabase } from './support/database.ts';

test('the page says what runs, links the document and the Temporal UI, and may load nothing else', async () => {
  await using database = await createDatabase();
  await using api = openApp(database.url);
  const response = await api.app.request('/');
  const page = await response.text();
  expect(response.status).toBe(200);
  expect(page).toContain('0.0.0-test');
  expect(page).toContain('us-west-2');
  expect(page).toContain('href="/v1/openapi.json"');
  expect(page).toContain('href="http://127.0.0.1:8233"');
  expect(page).not.toContain(KEY);
  const style = /<style>([^]*?)<\/style>/u.exec(page)?.[1] ?? '';
  const hash = createHash('sha256').update(style).digest('base64');
  const policy = response.headers.get('content-security-policy');
  expect(policy).toContain(`default-src 'none'; style-src 'sha256-${hash}';`);
});

test('what the page shows of the settings is text, never markup', async () => {
  await using database = await createDatabase();
  await using api = openApp(database.url, {
    info: {
      version: '<script>alert(1)</script>',
      region: 'r',
      retry_window: '24h',
      retention: { events: '30d', attempts: '7d' },
      temporal: { address: 'a', namespace: 'n', ui_url: null },
      dev_receiver_url: null,
    },
  });
  const page = await (await api.app.request('/')).text();
  expect(page).toContain('&lt;script&gt;');
  expect(page).not.toContain('<script');
  expect(page).not.toContain('Temporal');
});
