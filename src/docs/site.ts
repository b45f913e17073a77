import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { PROJECT, readCatalog, type Catalog, type PageEntry } from './catalog.ts';
import { addressOf, indexBody, layout } from './layout.ts';
import { createLinks, type Links } from './links.ts';
import { render, type Section } from './render.ts';

/** One file of the site. */
export interface SiteFile {
  type: string;
  body: string | Buffer;
}

/** The whole documentation: an address that is not in `files` exactly is not served. */
export interface Site {
  files: Map<string, SiteFile>;
  /** The page that says that there is no such page. */
  missing: string;
}

/** One part of a page, as the search knows it. */
interface Findable {
  page: string;
  heading: string;
  url: string;
  text: string;
}

const HTML = 'text/html; charset=utf-8';
const MARKDOWN = 'text/markdown; charset=utf-8';

/** The site's own script and style files, by the name under `/docs` and the path in `src`. */
const OWN = [
  ['site.css', 'docs/browser/site.css', 'text/css; charset=utf-8'],
  ['search.css', 'docs/browser/search.css', 'text/css; charset=utf-8'],
  ['site.js', 'docs/browser/site.js', 'text/javascript; charset=utf-8'],
  ['icon.svg', 'console/icon.svg', 'image/svg+xml'],
] as const;

/** Reads and renders all of the documentation. */
export async function readSite(): Promise<Site> {
  const catalog = await readCatalog();
  const { groups } = catalog;
  const pages = [...groups.flatMap((one) => one.pages), ...catalog.unlisted];
  const links = linksOf(pages, catalog.files);
  const files = new Map<string, SiteFile>();
  const findable: Findable[] = [];
  for (const page of pages) {
    const text = await readFile(join(PROJECT, page.file), 'utf8');
    findable.push(...addPage(files, { page, text, catalog, links }));
  }
  for (const [name, type] of catalog.files) {
    const body = await readFile(join(PROJECT, 'docs', name));
    files.set(`/docs/${name}`, { type, body });
  }
  for (const [name, place, type] of OWN) {
    files.set(`/docs/${name}`, { type, body: await readFile(join(PROJECT, 'src', place)) });
  }
  const plain = { groups, markdown: null, headings: [] };
  const about = 'Guides and reference of Millrace';
  const index = { ...plain, current: '/docs', title: 'Overview', about, body: indexBody(groups) };
  files.set('/docs', { type: HTML, body: layout(index) });
  files.set('/docs/search.json', { type: 'application/json', body: JSON.stringify(findable) });
  files.set('/llms.txt', { type: MARKDOWN, body: llmsText(catalog) });
  const body = `<h1>There is no such page</h1>\n<p>The <a href="/docs">overview</a> has all pages.</p>`;
  const missing = layout({ ...plain, current: null, title: 'No such page', about, body });
  return { files, missing };
}

function linksOf(pages: PageEntry[], others: Map<string, string>): Links {
  return createLinks(
    new Map(pages.map((page) => [page.file, addressOf(page)])),
    new Map([...others.keys()].map((name) => [`docs/${name}`, `/docs/${name}`])),
  );
}

function addPage(
  files: Map<string, SiteFile>,
  options: { page: PageEntry; text: string; catalog: Catalog; links: Links },
): Findable[] {
  const { page, text, catalog, links } = options;
  const address = addressOf(page);
  const { html, headings, sections } = render(text, page.file, links);
  const title = headings[0]?.text ?? page.title;
  const whole = layout({
    groups: catalog.groups,
    current: address,
    title,
    about: page.about,
    markdown: `${address}.md`,
    headings,
    body: html,
  });
  files.set(address, { type: HTML, body: whole });
  const markdown = { type: MARKDOWN, body: text };
  files.set(`${address}.md`, markdown);
  // Relative links from one Markdown file to another lead here.
  if (page.file.startsWith('docs/')) files.set(`/${page.file}`, markdown);
  return sections.flatMap((section) => findableOf(section, page.title, address));
}

function findableOf({ heading, text }: Section, page: string, address: string): Findable[] {
  if (heading === null) return text === '' ? [] : [{ page, heading: page, url: address, text }];
  const url = heading.level === 1 ? address : `${address}#${heading.id}`;
  return [{ page, heading: heading.text, url, text }];
}

/** The pages in the form of https://llmstxt.org, with links to their Markdown. */
function llmsText({ groups }: Catalog): string {
  const lists = groups.map(({ title, pages }) => {
    const items = pages.map((page) => `- [${page.title}](${addressOf(page)}.md): ${page.about}`);
    return `## ${title}\n\n${items.join('\n')}\n`;
  });
  return `# Millrace

> Sends the changes of records to HTTP endpoints as signed webhooks: two replayable streams in Postgres, a cursor and a
> filter for each consumer, 24 hours of retries, one Temporal workflow a consumer.

The API is described by the OpenAPI document at [/v1/openapi.json](/v1/openapi.json).

${lists.join('\n')}`;
}
