import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { KEY } from '../support/app.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { until } from '../support/poll.ts';
import { serve, type Served } from '../support/serve.ts';
import { startOnTerminal } from '../support/terminal.ts';

let opened: ConsumersApi;
let site: Served;
let env: Record<string, string>;
beforeAll(async () => {
  opened = await openConsumersApi();
  site = await serve(opened.api);
  env = { MILLRACE_URL: site.url, MILLRACE_API_KEY: KEY, NO_COLOR: '1' };
  await opened.create({ name: 'orders' });
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

test('a secret that is shown only once is printed whole on a narrow terminal, and lists are cut at its width', async () => {
  const args = ['keys', 'create', '--name', 'importer', '--scope', 'read'];
  const { code, output } = await startOnTerminal(args, env, { columns: 30 }).ended;
  expect(code).toBe(0);
  const [, key = ''] = /^key +(\S+)$/mu.exec(output) ?? [];
  const answer = await fetch(`${site.url}/v1/info`, {
    headers: { authorization: `Bearer ${key}` },
  });
  expect(answer.status).toBe(200);
  const list = await startOnTerminal(['consumers', 'list'], env, { columns: 30 }).ended;
  const lines = list.output.trimEnd().split('\n');
  expect(lines).toHaveLength(2);
  for (const line of lines) expect(Array.from(line)).toHaveLength(30);
});

test('on a terminal without a known size nothing is cut', async () => {
  const { output } = await startOnTerminal(['consumers', 'list'], env, { columns: 0, rows: 0 })
    .ended;
  expect(output).toMatch(/^orders .* [\da-f-]{36}$/mu);
  expect(output).not.toContain('…');
});

test('--watch draws no more than fits into the height of the terminal', async () => {
  const watching = startOnTerminal(['consumers', 'get', 'orders', '--watch'], env, { rows: 8 });
  await until(() => watching.output().includes('\u001B[7A'), { timeoutMs: 60_000 });
  watching.type('\u0003');
  const { code, output } = await watching.ended;
  expect(code).toBe(130);
  const [first = ''] = output.split('\u001B[7A');
  expect(first.split('\n')).toHaveLength(8);
  expect(output).toMatch(/Name +orders\n/u);
});

test('a command that deletes something does not proceed where somebody is present but cannot be asked', async () => {
  const { id } = await opened.create({ name: 'doomed' });
  const folder = await mkdtemp(join(tmpdir(), 'millrace-terminal-'));
  const stderr = join(folder, 'stderr');
  const unasked = await startOnTerminal(['consumers', 'delete', 'doomed'], env, { stderr }).ended;
  expect(unasked.code).toBe(2);
  expect(await readFile(stderr, 'utf8')).toMatch(/nobody can be asked: Delete consumer "doomed"/u);
  await rm(folder, { recursive: true });
  expect((await opened.read(id)).name).toBe('doomed');
});
