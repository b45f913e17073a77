import { readFile } from 'node:fs/promises';

import { expect, test } from 'vitest';

import { EXIT, EXIT_MEANINGS } from '../../src/cli/exit.ts';
import { runCli } from '../support/cli.ts';

const PAGE = new URL('../../docs/cli.md', import.meta.url);

test('the help and docs/cli.md list the same exit codes', async () => {
  const { stdout } = await runCli(['--help']);
  const page = await readFile(PAGE, 'utf8');
  for (const [name, code] of Object.entries(EXIT)) {
    const meaning = EXIT_MEANINGS[name as keyof typeof EXIT];
    expect(stdout).toContain(`  ${String(code).padEnd(3)}  ${meaning}\n`);
    expect(page).toContain(`| ${code} | ${meaning} |`);
  }
});

test('the help of every command begins with examples of it, whose flags it has', async () => {
  const helps = await readHelps();
  expect(helps.size).toBeGreaterThan(40); // they were found
  const faults: string[] = [];
  for (const [command, help] of helps) {
    const lines = examplesIn(help);
    const own = `millrace ${command}`.trim();
    if (!lines.some((line) => line.includes(own))) faults.push(`no example of ${own}`);
    for (const line of lines) {
      const flags = flagsIn(helps.get(commandIn(line, helps)) ?? '');
      for (const { 0: flag } of line.matchAll(/--[a-z][a-z-]*/gu)) {
        if (!flags.includes(flag)) faults.push(`${own}: ${line} has ${flag}, which is no flag`);
      }
    }
  }
  expect(faults).toEqual([]);
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

/** Each costs a process. */
const AT_ONCE = 4;

/** The help of the program (''), and of each command that the help of its parent lists, by its words. */
async function readHelps(): Promise<Map<string, string>> {
  const helps = new Map<string, string>();
  const left: string[][] = [[]];
  while (left.length > 0) {
    const some = left.splice(0, AT_ONCE);
    const read = await Promise.all(some.map((words) => runCli([...words, '--help'])));
    for (const [index, words] of some.entries()) {
      const { code, stdout } = read[index]!;
      expect(code, words.join(' ')).toBe(0);
      helps.set(words.join(' '), stdout);
      left.push(...commandsIn(stdout).map((one) => [...words, one]));
    }
  }
  return helps;
}

/** The commands that a help lists, but for that of the help itself. */
function commandsIn(help: string): string[] {
  const list = /^Commands:\n((?: .*\n)*)/mu.exec(help)?.[1] ?? '';
  const names = [...list.matchAll(/^ {2}(\S+)/gmu)].flatMap(({ 1: name }) => name ?? []);
  return names.filter((name) => name !== 'help');
}

function flagsIn(help: string): string[] {
  const flags = help.matchAll(/^ {2}(?:-\w, )?(--[a-z][a-z-]*)/gmu);
  return [...flags].flatMap(({ 1: flag }) => flag ?? []);
}

/** The command lines that a help begins with, without what is said of them. */
function examplesIn(help: string): string[] {
  const list = /^Examples:\n((?: {2}.*\n)+)/u.exec(help)?.[1] ?? '';
  return list
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/u)[0] ?? '')
    .filter((line) => line !== '');
}

/** The command that a line calls: of its words as many as name one. */
function commandIn(line: string, helps: ReadonlyMap<string, string>): string {
  const words = (line.split('millrace ')[1] ?? '').split(' ');
  while (words.length > 0 && !helps.has(words.join(' '))) words.pop();
  return words.join(' ');
}
