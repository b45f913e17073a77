// what a process loads before it knows what it has to do: each package is a part of every start, and of its memory
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

import { expect, test } from 'vitest';

import { COMPILE_CACHE } from '../support/compileCache.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const OUTPUT = 'loaded packages: ';
/** Prints the packages that a process has loaded by its end. */
const LISTING = `
  import { registerHooks } from 'node:module';
  const packages = new Set();
  registerHooks({
    load(url, context, next) {
      const path = url.split('/node_modules/').at(-1);
      if (path !== url) packages.add(path.split('/').slice(0, path.startsWith('@') ? 2 : 1).join('/'));
      return next(url, context);
    },
  });
  process.on('exit', () => process.stderr.write(${JSON.stringify(`\n${OUTPUT}`)} + [...packages].join(' ')));`;

/** What an entry file loads; the environment is empty, so that server.ts and worker.ts end when they read it. */
function loaded(...command: string[]): string[] {
  const preload = `data:text/javascript,${encodeURIComponent(LISTING)}`;
  const { stderr } = spawnSync(process.execPath, ['--import', preload, ...command], {
    cwd: ROOT,
    env: { ...COMPILE_CACHE, HOME: '/nonexistent' },
    encoding: 'utf8',
  });
  const line = stderr.split('\n').find((one) => one.startsWith(OUTPUT));
  if (line === undefined) throw new Error(stderr);
  return line.slice(OUTPUT.length).split(' ');
}

test('a command of the CLI that only asks the API loads commander and no other package', () => {
  const api = ['--url', 'http://127.0.0.1:9', '--api-key', 'not-used'];
  expect(loaded('cli.ts', '--version')).toEqual(['commander']);
  expect(loaded('cli.ts', 'targets', 'list', ...api)).toEqual(['commander']);
});

test('server.ts loads what renders the documentation, or sends test webhooks, only once someone asks for it', () => {
  const packages = loaded('server.ts');
  expect(packages).toContain('hono');
  for (const name of [
    'markdown-it',
    'github-slugger',
    'nodemailer',
    'undici',
    '@temporalio/worker',
  ]) {
    expect(packages).not.toContain(name);
  }
});

test('worker.ts loads what sends mails only once it has one, and what bundles workflows never', () => {
  const packages = loaded('worker.ts');
  expect(packages).toContain('@temporalio/worker');
  for (const name of ['nodemailer', 'hono', 'swc-loader', '@swc/core', 'terser-webpack-plugin']) {
    expect(packages).not.toContain(name);
  }
});
