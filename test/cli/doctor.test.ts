import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Finding } from '../../src/cli/finding.ts';
import { runCli } from '../support/cli.ts';
import { listening } from '../support/listening.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-doctor-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** What the doctor says of the proxy in a folder where nothing runs. */
async function proxy(env: Record<string, string>): Promise<Finding | undefined> {
  const { stdout } = await runCli(['doctor', '--json'], env, { cwd: folder });
  expect(stdout).not.toContain('hidden-password');
  const { checks } = JSON.parse(stdout) as { checks: Finding[] };
  return checks.find(({ name }) => name === 'Proxy');
}

test('doctor examines the proxy that webhooks are sent through, and then no other', async () => {
  const refusing = createServer((_, response) => void response.writeHead(400).end());
  const listener = await listening(refusing);
  const { host } = new URL(listener.url);
  const other = { HTTPS_PROXY: 'http://other.example:3128' };
  const set = `http://user:hidden-password@${host}`;
  expect(await proxy({ ...other, MILLRACE_EGRESS_PROXY: set })).toMatchObject({
    status: 'ok',
    detail: `webhooks go out through http://${host}, which answers`,
  });
  await listener[Symbol.asyncDispose]();
  expect(await proxy({ ...other, MILLRACE_EGRESS_PROXY: set })).toMatchObject({
    status: 'fail',
    detail: `webhooks go out through http://${host}, which does not answer (ECONNREFUSED)`,
    fix: expect.stringContaining('MILLRACE_EGRESS_PROXY'),
  });
  expect(await proxy(other)).toMatchObject({
    status: 'warn',
    detail: expect.stringContaining('HTTPS_PROXY'),
  });
});
