import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import { describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
/** Set by `npm start` for its processes and by tests. */
const INTERNAL = ['MILLRACE_TASK_QUEUE', 'MILLRACE_DEV_RECEIVER_URL', 'MILLRACE_SUPERVISED'];

const pages = [
  ...(await readdir(ROOT)).filter((name) => name.endsWith('.md')),
  ...(await readdir(join(ROOT, 'docs'), { recursive: true }))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  'bench/README.md',
  'src/console/README.md',
];

describe('a page that people read', () => {
  test.each(pages)('%s has only links that lead somewhere', async (page) => {
    const text = await read(page);
    const dead: string[] = [];
    for (const link of linksOf(text)) {
      const [path = '', heading] = link.split('#');
      const file = path === '' ? page : join(dirname(page), path);
      if (!(await exists(file))) dead.push(link);
      else if (heading !== undefined && !headingsOf(await read(file)).includes(heading))
        dead.push(link);
    }
    expect(dead).toEqual([]);
  });

  test.each(pages)('%s names only files and folders that exist', async (page) => {
    const dead: string[] = [];
    for (const path of pathsOf(await read(page))) {
      const found = (await exists(path)) || (await exists(join(dirname(page), path)));
      if (!found) dead.push(path);
    }
    expect(dead).toEqual([]);
  });
});

test.each(pages)('%s names only scripts that package.json has', async (page) => {
  const { scripts } = JSON.parse(await read('package.json')) as { scripts: object };
  const named = (await read(page)).matchAll(/\bnpm run (?:-s )?([\w-]+)/gu);
  const unknown = [...named].map(([, name = '']) => name).filter((name) => !(name in scripts));
  expect(unknown).toEqual([]);
});

test('the README says how to start it before it offers the demo', async () => {
  const text = await read('README.md');
  const start = text.indexOf('npm install && npm start');
  const demo = text.indexOf('npm install && npm run demo');
  expect(start).toBeGreaterThan(0);
  expect(demo).toBeGreaterThan(start);
});

test('every number in the tables of measurements in the README is one of bench/README.md', async () => {
  const [, numbers = ''] = /\n## Numbers\n(.*?)\n## /su.exec(await read('README.md')) ?? [];
  const rows = numbers.split('\n').filter((line) => line.startsWith('| '));
  expect(rows.length).toBeGreaterThan(5);
  const measured = new Set(numbersIn(await read('bench/README.md')));
  expect(rows.flatMap(numbersIn).filter((number) => !measured.has(number))).toEqual([]);
});

test('a word is recognised as a path of the project: in code, by its folder or as a source file', () => {
  const text = [
    'src/prose.ts, `src/a.ts`, `ui/b.tsx`, `LOG=1 vitest run test/c.test.ts`, [`docs/d.md`](d.md),',
    '`no folder.ts`, `/v1/records`, `provider:name`, `application/json`',
    '```\nappend (src/e/f.ts) ──▶ tail: src/g/\n```',
  ].join('\n');
  const paths = ['src/a.ts', 'ui/b.tsx', 'test/c.test.ts', 'docs/d.md', 'src/e/f.ts', 'src/g/'];
  expect(pathsOf(text)).toEqual(paths);
});

test('every promise is numbered and names tests that exist, or says that it is not built yet', async () => {
  const promises = promisesOf(await read('docs/promises.md'));
  expect(promises.map(({ number }) => number)).toEqual([
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
  ]);
  const faults: string[] = [];
  for (const { number, text } of promises) {
    const tests = testsOf(text);
    if (tests.length === 0 && !text.includes('Next issue')) faults.push(`${number} names no test`);
    for (const { file, title } of tests) {
      const titles = (await exists(file)) ? titlesOf(await read(file)) : [];
      if (!titles.some((one) => one.test(title))) faults.push(`${number}: ${file}: ${title}`);
    }
  }
  expect(faults).toEqual([]);
});

test('the page for operators has every variable that is read, and no other', async () => {
  const named = (await read('docs/operating.md')).matchAll(/^\| (`.*?`) \|/gmu);
  const documented = [...named]
    .flatMap(([, cell = '']) => [...cell.matchAll(/`([A-Z_]+)`/gu)].map(([, name = '']) => name))
    .filter((name) => !name.startsWith('TEMPORAL_'));
  const config = await read('src/process/config.ts');
  const variables = config.slice(config.indexOf('const Variables = '));
  const known = [...variables.matchAll(/^ {2}([A-Z_]+): /gmu)].map(([, name = '']) => name);
  expect(documented.sort()).toEqual(known.filter((name) => !INTERNAL.includes(name)).sort());
});

function read(path: string): Promise<string> {
  return readFile(join(ROOT, path), 'utf8');
}

async function exists(path: string): Promise<boolean> {
  return stat(join(ROOT, path)).then(
    () => true,
    () => false, // what the link is dead for
  );
}

/** Targets of links and pictures within the project. */
function linksOf(markdown: string): string[] {
  const links = [...withoutCode(markdown).matchAll(/\]\(([^)\s]+)\)/gu)];
  return links.map(([, target = '']) => target).filter((target) => !/^[a-z]+:/u.test(target));
}

/** Anchors of headings, as GitHub makes them. */
function headingsOf(markdown: string): string[] {
  return [...withoutCode(markdown).matchAll(/^#+ (.+)$/gmu)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^```.*?^```/gmsu, '');
}

/** Words of inline code and of code blocks that can only be paths of the project. */
function pathsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^```.*?^```|`[^`\n]+`/gmsu)]
    .flatMap(([code]) => code.split(/[\s`'"(),;:]+/u))
    .filter((word) =>
      /^(?:src|test|bench|docs|migrations)\/|^[\w.-].*\/[\w.-]+\.tsx?$/u.test(word),
    );
}

/** Numbers as they are written: `22,446`, `0.052`. */
function numbersIn(text: string): string[] {
  return text.match(/\d+(?:[.,]\d+)*/gu) ?? [];
}

function promisesOf(page: string): { number: number; text: string }[] {
  return page
    .split(/^(?=\d+\. )/mu)
    .slice(1)
    .map((text) => ({ number: Number.parseInt(text, 10), text }));
}

/** `- [test/x.test.ts](../test/x.test.ts): title`, the title up to the end of the line. */
function testsOf(promise: string): { file: string; title: string }[] {
  const named = promise.matchAll(/^ +- \[(.+?)\]\(\.\.\/\1\): (.+)$/gmu);
  return [...named].map(([, file = '', title = '']) => ({ file, title }));
}

/** What a test file's titles match: its string literals, `${…}` standing for anything. */
function titlesOf(source: string): RegExp[] {
  const literals = source.matchAll(/(['"`])((?:\\.|(?!\1)[^\\\n])+)\1,/gu);
  return [...literals].map(([, , text = '']) => {
    const parts = text.replaceAll(/\\(.)/gu, '$1').split(/\$\{[^}]*\}/u);
    return new RegExp(`^${parts.map((part) => RegExp.escape(part)).join('.+')}$`, 'u');
  });
}
