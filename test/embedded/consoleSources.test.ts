import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { consoleSources, stampOfSources } from '../../src/embedded/consoleSources.ts';

const FILES: Record<string, string> = {
  'package.json': '{ "devDependencies": { "react": "1.0.0" } }',
  'src/console/index.html': '<html></html>',
  'src/console/page.tsx': `import './styles.css';\nimport {\n  a,\n  b,\n} from '../rules/near.ts';\nimport type { T } from '../schema/types.ts';\nimport { own } from './ui/own.ts';\n`,
  'src/console/ui/own.ts': `export const own = 1;\n`,
  'src/console/styles.css': '',
  'src/rules/near.ts': `export { b } from './far.ts';\nexport const a = 1;\n`,
  'src/rules/far.ts': `export const b = 2;\n`,
  'src/schema/types.ts': `export type T = string;\n`,
  'src/db/db.ts': `export const db = 1;\n`,
};

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'millrace-sources-'));
  for (const [file, text] of Object.entries(FILES)) await write(file, text);
});
afterEach(() => rm(root, { recursive: true }));

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, file)), { recursive: true });
  await writeFile(join(root, file), text);
}

test('the console is built from its folder and from the modules that this imports at run time, directly or indirectly', async () => {
  expect(await consoleSources(root)).toEqual([
    'src/console/index.html',
    'src/console/page.tsx',
    'src/console/styles.css',
    'src/console/ui/own.ts',
    'src/rules/far.ts',
    'src/rules/near.ts',
  ]);
});

test.for([
  ['a file of its folder', 'src/console/ui/own.ts', 'export const own = 2;\n'],
  ['the list of files in its folder', 'src/console/ui/new.ts', ''],
  ['a module that it shares', 'src/rules/near.ts', 'export const a = 2;\n'],
  ['a module that only a shared one imports', 'src/rules/far.ts', 'export const b = 3;\n'],
  ['the version of a package', 'package.json', '{ "devDependencies": { "react": "1.0.1" } }'],
] as const)('a build is stale once %s has changed', async ([, file, text]) => {
  const before = await stampOfSources(root);
  await write(file, text);
  expect(await stampOfSources(root)).not.toBe(before);
});

test.for([
  ['a type', 'src/schema/types.ts', 'export type T = number;\n'],
  ['a file that the console does not import', 'src/db/db.ts', 'export const db = 2;\n'],
] as const)('a build stays valid when %s changes', async ([, file, text]) => {
  const before = await stampOfSources(root);
  await write(file, text);
  expect(await stampOfSources(root)).toBe(before);
});

test("the sources of Millrace's own console include what it shares with the server", async () => {
  const own = await consoleSources(join(import.meta.dirname, '../..'));
  expect(own).toContain('src/api/client.ts');
  expect(own).toContain('src/alerts/alertText.ts');
});
