import { readFile } from 'node:fs/promises';

import { expect, test } from 'vitest';

import { EXIT, EXIT_MEANINGS } from '../../src/cli/exit.ts';
import { runCli } from '../support/cli.ts';

const PAGE = new URL('../../docs/cli.md', import.meta.url);

test('the help and docs/cli.md have one list of exit codes', async () => {
  const { stdout } = await runCli(['--help']);
  const page = await readFile(PAGE, 'utf8');
  for (const [name, code] of Object.entries(EXIT)) {
    const meaning = EXIT_MEANINGS[name as keyof typeof EXIT];
    expect(stdout).toContain(`  ${String(code).padEnd(3)}  ${meaning}\n`);
    expect(page).toContain(`| ${code} | ${meaning} |`);
  }
});

test.each([
  'consumers seek',
  'targets list',
  'targets rotate-secret',
  'syncs list',
  'collections list',
  'keys delete',
  'status',
  'completion',
  'retry',
])('the help of %s begins with an example', async (command) => {
  const { code, stdout } = await runCli([...command.split(' '), '--help']);
  expect(code).toBe(0);
  expect(stdout).toMatch(new RegExp(`^Examples:\n {2}.*millrace ${command}`, 'u'));
});

test('keys rotate says that Postgres is away, with the exit code for that and without its password', async () => {
  const { code, stdout, stderr } = await runCli(['keys', 'rotate'], {
    DATABASE_URL: 'postgres://me:hidden-password@127.0.0.1:1/none',
    MILLRACE_ENCRYPTION_KEYS: `k:${Buffer.alloc(32, 1).toString('base64')}`,
  });
  expect({ code, stdout }).toEqual({ code: 69, stdout: '' });
  expect(stderr).toMatch(/^Postgres can't be used: .*ECONNREFUSED/u);
  expect(stderr).not.toContain('hidden-password');
});
