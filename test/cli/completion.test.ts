// what the printed scripts complete, in the shells themselves
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { KEY } from '../support/app.ts';
import { COMPILE_CACHE } from '../support/compileCache.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { until } from '../support/poll.ts';
import { programOf } from '../support/programs.ts';
import { serve, type Served } from '../support/serve.ts';
import { startLine } from '../support/terminal.ts';

const CLI = fileURLToPath(new URL('../../cli.ts', import.meta.url));
/** Shells may have to be installed. */
const START_MS = 600_000;

let opened: ConsumersApi;
let site: Served;
let shells: Record<'bash' | 'zsh' | 'fish', string>;
/** The home of who types, where they are: it has a file `orders.csv`. */
let home: string;
let env: Record<string, string>;
beforeAll(async () => {
  const shell = (name: string): string =>
    programOf({ names: [name], debian: name, tests: 'The tests of completion' });
  shells = { bash: shell('bash'), zsh: shell('zsh'), fish: shell('fish') };
  opened = await openConsumersApi();
  site = await serve(opened.api);
  for (const name of ['two words', 'shop:orders']) await opened.create({ name });
  home = await mkdtemp(join(tmpdir(), 'millrace-completion-'));
  await writeFile(join(home, 'orders.csv'), '');
  await writeFile(join(home, '.zshrc'), ZSHRC);
  await mkdir(join(home, 'bin'));
  const millrace = `#!/bin/sh\nexec '${process.execPath}' '${CLI}' "$@"\n`;
  await writeFile(join(home, 'bin', 'millrace'), millrace, { mode: 0o755 });
  env = {
    ...COMPILE_CACHE,
    PATH: `${join(home, 'bin')}:${process.env['PATH'] ?? ''}`,
    HOME: home,
    MILLRACE_URL: site.url,
    MILLRACE_API_KEY: KEY,
  };
}, START_MS);
afterAll(async () => {
  await rm(home, { recursive: true });
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

test('bash completes commands, and names with blanks in them', async () => {
  const script = `
    source <(millrace completion bash)
    complete_at() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _millrace; printf '%s|' "\${COMPREPLY[@]}"; echo; }
    complete_at millrace consu
    complete_at millrace consumers get two`;
  const stdout = await run(shells.bash, ['-c', script]);
  expect(stdout).toBe('consumers|\ntwo\\ words|\n');
});

test('zsh completes what is typed: commands, flags, names, and files', async () => {
  for (const [typed, line] of [
    ['millrace consu', 'millrace consumers '],
    ['millrace consumers get orders --wa', 'millrace consumers get orders --watch '],
    ['millrace consumers get two', 'millrace consumers get two\\ words '],
    ['millrace consumers get two\\ wo', 'millrace consumers get two\\ words '],
    ['millrace consumers get shop', 'millrace consumers get shop:orders '],
    ['millrace import ord', 'millrace import orders.csv '],
  ] as const) {
    expect(await inZsh(typed), typed).toBe(line);
  }
});

test('fish completes commands, flags, names, and files where a command takes one', async () => {
  for (const [typed, words] of [
    ['millrace consu', ['consumers']],
    ['millrace consumers get orders --wa', ['--watch']],
    ['millrace consumers get two', ['two words']],
    ['millrace consumers get shop', ['shop:orders']],
    ['millrace consumers get ord', []],
    ['millrace import ord', ['orders.csv']],
  ] as const) {
    expect(await inFish(typed), typed).toEqual(words);
  }
});

/** The prompt says that it takes what is typed; ^G writes the line down and leaves. */
const ZSHRC = `
PS1='ready> '
autoload -Uz compinit && compinit -u -D
source <(millrace completion zsh)
write-down() {
  print -r -- "$BUFFER" > "$WRITTEN.part" && mv "$WRITTEN.part" "$WRITTEN"
  BUFFER=exit
  zle accept-line
}
zle -N write-down
bindkey -e
bindkey '^G' write-down
`;

/** What zsh makes of a line on a terminal when Tab is pressed. */
async function inZsh(typed: string): Promise<string> {
  const written = join(home, `written-${randomUUID()}`);
  const own = { ...env, ZDOTDIR: home, WRITTEN: written };
  const terminal = startLine(`${shells.zsh} -d -i`, own, { cwd: home });
  const what = (): string => `${typed}: ${terminal.output()}`;
  await until(() => terminal.output().includes('ready> '), { what });
  terminal.type(`${typed}\t\u0007`);
  const line = await until(() => readFile(written, 'utf8'), { what });
  await terminal.ended;
  return line.replace(/\n$/u, '');
}

/** The words that fish offers at the end of a line, without what it says of them and how it quotes them. */
async function inFish(typed: string): Promise<string[]> {
  const script = 'millrace completion fish | source; complete -C "$TYPED"';
  const stdout = await run(shells.fish, ['-c', script], { TYPED: typed });
  return stdout
    .split('\n')
    .map((line) => (line.split('\t')[0] ?? '').replaceAll('\\', '').trim())
    .filter((word) => word !== '');
}

/** What a program prints that ends well. */
async function run(
  program: string,
  args: string[],
  more: Record<string, string> = {},
): Promise<string> {
  const child = spawn(program, args, {
    cwd: home,
    env: { ...env, ...more },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  expect(await once(child, 'close')).toEqual([0, null]);
  return stdout;
}
