// the documentation at /docs: that all of it answers, and that every link of it leads somewhere
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import GithubSlugger from 'github-slugger';
import { Hono } from 'hono';
import { beforeAll, describe, expect, test } from 'vitest';

import { createDocs } from '../../src/api/docs.ts';
import type { AppEnv } from '../../src/api/env.ts';
import { createReference } from '../../src/api/reference.ts';
import { readCatalog, type PageEntry } from '../../src/docs/catalog.ts';
import { readSite, type Site } from '../../src/docs/site.ts';
import { PROBLEM_CODES } from '../../src/schema/problem.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const app = new Hono<AppEnv>().route('/', createReference()).route('/', createDocs());
const { groups, unlisted } = await readCatalog();
const pages = [...groups.flatMap((group) => group.pages), ...unlisted];
let site: Site;

beforeAll(async () => {
  site = await readSite();
});

describe('the page', () => {
  test.each(pages)(
    '$name answers, runs nothing inline, and is the Markdown of $file',
    async (page) => {
      const answer = await app.request(`/docs/${page.name}`);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(answer.headers.get('content-security-policy')).toMatch(
        /^default-src 'none'; script-src 'self'; style-src 'self'; (?!.*unsafe)/u,
      );
      const html = await answer.text();
      expect(html).not.toMatch(/<script(?! src="\/docs\/site\.js")|<style|\sstyle=|\son\w+=/u);
      expect(html.match(/<h1[ >]/gu)).toHaveLength(1);
      const markdown = await app.request(`/docs/${page.name}.md`);
      expect(markdown.headers.get('content-type')).toBe('text/markdown; charset=utf-8');
      expect(await markdown.text()).toBe(await readFile(join(ROOT, page.file), 'utf8'));
    },
  );

  test.each(pages)('$name has only links that lead somewhere, anchors included', async (page) => {
    const dead: string[] = [];
    for (const link of linksOf(bodyOf(`/docs/${page.name}`))) {
      if (!(await leads(link, `/docs/${page.name}`))) dead.push(link);
    }
    expect(dead).toEqual([]);
  });

  test.each(pages.filter(({ file }) => file.startsWith('docs/')))(
    '$name leads to others from its Markdown as well',
    async ({ file }) => {
      const text = await readFile(join(ROOT, file), 'utf8');
      const links = [...text.matchAll(/\]\((?!\.\.)([\w./-]+\.md)/gu)].map(([, to = '']) => to);
      const dead: string[] = [];
      for (const link of links) {
        if (!site.files.has(join('/', dirname(file), link))) dead.push(link);
      }
      expect(dead).toEqual([]);
    },
  );

  test.each(pages)('$name has the anchors that GitHub makes', async (page) => {
    const ids = idsOf(bodyOf(`/docs/${page.name}`));
    for (const id of await anchorsOnGithub(page)) expect(ids).toContain(id);
  });
});

test('every Markdown file of the documentation is served as a page', async () => {
  const files = await readdir(join(ROOT, 'docs'), { recursive: true });
  const known = pages.map(({ file }) => file);
  const lost = files.filter((file) => file.endsWith('.md') && !known.includes(`docs/${file}`));
  expect(lost).toEqual([]);
});

test('/docs and /llms.txt list every page, and everything they link to exists', async () => {
  const listed = groups.flatMap((group) => group.pages);
  const index = bodyOf('/docs');
  const llms = bodyOf('/llms.txt');
  expect(llms).toMatch(/^# Millrace\n\n> .+/u);
  for (const { name, about } of listed) {
    expect(index).toContain(`<a href="/docs/${name}">`);
    expect(llms).toContain(`](/docs/${name}.md): ${about}`);
  }
  const links = [...llms.matchAll(/\]\(([^)]+)\)/gu)].map(([, link = '']) => link);
  for (const link of [...linksOf(index), ...links]) {
    expect({ link, leads: await leads(link, '/docs') }).toEqual({ link, leads: true });
  }
});

test('every code of a problem has its anchor and its text on the page of errors, and no other code has', () => {
  const html = bodyOf('/docs/errors');
  const explained = [...html.matchAll(/<h3 id="([a-z_]+)"><code>\1<\/code>/gu)].map(
    ([, id = '']) => id,
  );
  expect(explained.sort()).toEqual([...PROBLEM_CODES].sort());
  const words = html.split(/<h3 id="[a-z_]+">.*<\/h3>/u).slice(1);
  for (const text of words) expect(text).toMatch(/^\s*<p>\S/u);
});

test('every page that is served is in the container image as well', async () => {
  const kept = (await readFile(join(ROOT, '.dockerignore'), 'utf8')).split('\n');
  for (const { file } of pages) expect(kept).toContain(`!${file.split('/')[0]}`);
});

test('every code of a problem is used in the source', async () => {
  const files = (await readdir(join(ROOT, 'src'), { recursive: true })).filter(
    (file) => /\.tsx?$/u.test(file) && file !== 'schema/problem.ts',
  );
  const texts = await Promise.all(files.map((file) => readFile(join(ROOT, 'src', file), 'utf8')));
  const source = texts.join('\n');
  const unused = PROBLEM_CODES.filter(
    (code) => !source.includes(`'${code}'`) && !code.startsWith('invalid_'),
  );
  expect(unused).toEqual([]);
});

describe('nothing else is served', () => {
  test.each([
    '/docs/nothing',
    '/docs/receiving/',
    '/docs/receiving.html',
    '/docs/images',
    '/docs/images/nothing.png',
    '/docs/package.json',
    '/docs/../package.json',
    '/docs/..%2fpackage.json',
    '/docs/..%2f..%2f..%2f..%2fetc%2fpasswd',
    '/docs/%2e%2e/package.json',
    '/docs/%2e%2e%2fpackage.json',
    '/docs/..%5cpackage.json',
    '/docs/images/..%2f..%2fpackage.json',
    '/docs/images/../../package.json',
    '/docs//etc/passwd',
    '/docs/%00',
    '/docs/receiving.md%00.html',
    '/docs/%E0%A4%A',
    '/docs/__proto__',
    '/docs/constructor',
  ])('%s is 404', async (path) => {
    const plain = await app.request(path);
    expect(plain.status).toBe(404);
    const shown = await app.request(path, { headers: { accept: 'text/html' } });
    expect(shown.status).toBe(404);
    expect(await shown.text()).not.toMatch(/root:|"dependencies"/u);
  });
});

test('a browser gets a page with the error, under the same content security policy', async () => {
  const answer = await app.request('/docs/nothing', { headers: { accept: 'text/html' } });
  expect(await answer.text()).toContain('There is no such page');
  expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
});

test('a page that a client has already is not sent again, and a new one is sent compressed', async () => {
  const first = await app.request('/docs/design', { headers: { 'accept-encoding': 'gzip' } });
  expect(first.headers.get('content-encoding')).toBe('gzip');
  expect(first.headers.get('cache-control')).toBe('no-cache');
  const etag = first.headers.get('etag') ?? '';
  for (const tag of [etag, `W/${etag}`, `"x", ${etag}`]) {
    const again = await app.request('/docs/design', { headers: { 'if-none-match': tag } });
    expect([again.status, await again.text()]).toEqual([304, '']);
  }
});

function bodyOf(path: string): string {
  const file = site.files.get(path);
  if (file === undefined) throw new Error(`There is no ${path}`);
  return String(file.body);
}

function linksOf(html: string): string[] {
  return [...html.matchAll(/\s(?:href|src)="([^"]+)"/gu)].map(([, link = '']) => link);
}

function idsOf(html: string): string[] {
  return [...html.matchAll(/\sid="([^"]+)"/gu)].map(([, id = '']) => id);
}

/** Whether a link of the page at `from` leads to something of the site, or out of it on purpose. */
async function leads(link: string, from: string): Promise<boolean> {
  if (/^https?:/u.test(link)) return true;
  const [path = '', anchor] = link.split('#');
  if (path === '/' || path === '/v1/openapi.json') return true; // the console, and the API itself
  const to = path === '' ? from : path;
  if (!to.startsWith('/')) return false;
  if ((await app.request(to)).status !== 200) return false;
  return anchor === undefined || idsOf(bodyOf(to)).includes(anchor);
}

/** The anchors of the headings, from the text of the Markdown alone. */
async function anchorsOnGithub({ file }: PageEntry): Promise<string[]> {
  const text = await readFile(join(ROOT, file), 'utf8');
  const slugger = new GithubSlugger();
  const headings = text.replaceAll(/^```.*?^```/gmsu, '').matchAll(/^#{1,6} (.+)$/gmu);
  return [...headings].map(([, heading = '']) =>
    slugger.slug(heading.replaceAll(/\[([^\]]+)\]\([^)]*\)/gu, '$1').replaceAll('`', '')),
  );
}
