import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Finding } from '../../src/cli/finding.ts';
import { KEY, openOwnApp, type OwnApp } from '../support/app.ts';
import { issue } from '../support/certificate.ts';
import { runCli, type CliResult } from '../support/cli.ts';
import { serve, type Served } from '../support/serve.ts';

const DAY = 86_400_000;
const own = issue({ subject: 'shop', isAuthority: true, until: Date.now() + 10 * DAY });

let api: OwnApp;
let served: Served;
let folder: string;
beforeAll(async () => {
  api = await openOwnApp();
  served = await serve(api);
  folder = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
  await writeFile(join(folder, 'shop.crt'), own.cert);
  await writeFile(join(folder, 'shop.key'), own.key);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await api[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const cli = (...args: string[]): Promise<CliResult> =>
  runCli(args, { MILLRACE_URL: served.url, MILLRACE_API_KEY: KEY }, { cwd: folder });
const FILES = ['--client-certificate', 'shop.crt', '--client-key', 'shop.key'];
const create = (name: string, ...flags: string[]) =>
  cli('targets', 'create', '--name', name, '--base-url', 'https://example.com', ...flags);

test('a target takes a client certificate and its key from files, shows what is public, and lets it go again', async () => {
  const made = await create('mutual', ...FILES);
  expect([made.code, made.stdout]).toEqual([
    0,
    expect.stringContaining('CN=shop, issued by CN=shop'),
  ]);
  const got = await cli('targets', 'get', 'mutual');
  expect(got.stdout).toMatch(
    /^Client certificate +CN=shop, .*, until \d{4}-.*, SHA-256 [\dA-F:]{95}$/mu,
  );
  for (const { stdout, stderr } of [made, got])
    expect(stdout + stderr).not.toContain(own.key.split('\n')[2]);
  const none = await cli('targets', 'update', 'mutual', '--no-client-certificate', '--json');
  expect(JSON.parse(none.stdout).client_certificate).toBeNull();
  const back = await cli('targets', 'update', 'mutual', ...FILES, '--json');
  expect(JSON.parse(back.stdout).client_certificate.subject).toBe('CN=shop');
});

test.each([
  [['--client-certificate', 'shop.crt'], 'are given together'],
  [['--client-key', 'shop.key'], 'are given together'],
  [['--client-certificate', 'none.crt', '--client-key', 'shop.key'], 'none.crt can'],
  [['--client-certificate', '-', '--client-key', '-'], 'Only one of'],
])('%j is refused before anything is sent', async (flags, says) => {
  const { code, stderr } = await create('refused', ...flags);
  expect([code, stderr]).toEqual([2, expect.stringContaining(says)]);
});

test.each([
  ['shop.key', 'shop.key', '--client-certificate must hold certificates only'],
  ['shop.crt', 'shop.crt', '--client-key must hold one private key'],
])('%s with the key %s, which the API refuses, is told of by its flag', async (file, key, says) => {
  const flags = ['--client-certificate', file, '--client-key', key];
  const { code, stderr } = await create('refused', ...flags);
  expect([code, stderr]).toEqual([1, expect.stringContaining(says)]);
  expect(stderr).not.toContain(own.key.split('\n')[2]);
});

test('doctor names the targets whose client certificate ends soon or has ended', async () => {
  expect((await create('soon', ...FILES)).code).toBe(0);
  const made = await create('over', ...FILES, '--json');
  const { id } = JSON.parse(made.stdout) as { id: string };
  await api.db.query({
    text: `update targets set client_certificate_ends = now() - interval '1 h' where id = $1`,
    values: [id],
  });
  const { stdout } = await cli('doctor', '--json');
  const { checks } = JSON.parse(stdout) as { checks: Finding[] };
  const found = checks.filter(({ name }) => name.startsWith('Client certificate of target '));
  expect(found).toContainEqual({
    name: 'Client certificate of target soon',
    status: 'warn',
    detail: expect.stringMatching(/^CN=shop ends at /u),
    fix: expect.stringContaining('--client-certificate FILE --client-key FILE'),
  });
  expect(found).toContainEqual({
    name: 'Client certificate of target over',
    status: 'fail',
    detail: expect.stringMatching(/^CN=shop ended at /u),
    fix: expect.stringContaining(`millrace targets update ${id} `),
  });
});
