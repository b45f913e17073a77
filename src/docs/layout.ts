import type { PageEntry, PageGroup } from './catalog.ts';
import type { Heading } from './render.ts';

/** The parts of one page of the site. */
export interface PageParts {
  groups: PageGroup[];
  /** The address of the page, which is marked in the lists of pages; null for one that is in no list. */
  current: string | null;
  title: string;
  about: string;
  /** The address of its Markdown; null when there is none. */
  markdown: string | null;
  headings: Heading[];
  /** HTML made by Millrace itself. */
  body: string;
}

/** The whole page. It has no inline script and no inline style, so that a strict policy can hold for it. */
export function layout(parts: PageParts): string {
  const { groups, current, title, about, markdown, headings, body } = parts;
  const contents = headings.filter(({ level }) => level === 2 || level === 3);
  const toContents = contents.length > 1 ? contentsList(contents) : null;
  const alternate =
    markdown === null ? '' : `<link rel="alternate" type="text/markdown" href="${markdown}">`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="description" content="${escape(about)}">
<title>${escape(title)} · Millrace docs</title>
<link rel="icon" type="image/svg+xml" href="/docs/icon.svg">
<link rel="stylesheet" href="/docs/site.css">
<link rel="stylesheet" href="/docs/search.css">
${alternate}
<script src="/docs/site.js" defer></script>
</head>
<body>
<a class="skip" href="#text">Skip to the text</a>
<header class="top">
<a class="home" href="/docs"><img src="/docs/icon.svg" alt="" width="24" height="24">Millrace docs</a>
<form class="search" role="search" hidden>
<label class="unseen" for="words">Search the documentation</label>
<input id="words" type="search" placeholder="Search" autocomplete="off" spellcheck="false">
<div class="found" hidden><p role="status"></p><ol></ol></div>
</form>
<a class="console" href="/">Console</a>
</header>
<div class="frame">
<nav class="pages wide" aria-label="Pages">${pagesList(groups, current)}</nav>
<main id="text" tabindex="-1">
<details class="narrow"><summary>Pages</summary><nav aria-label="Pages">${pagesList(groups, current)}</nav></details>
${toContents === null ? '' : `<details class="narrow"><summary>On this page</summary><nav aria-label="On this page">${toContents}</nav></details>`}
<article>
${body}
</article>
${markdown === null ? '' : `<footer><a href="${markdown}">This page as Markdown</a></footer>`}
</main>
${toContents === null ? '' : `<nav class="contents wide" aria-label="On this page"><h2>On this page</h2>${toContents}</nav>`}
</div>
</body>
</html>
`;
}

/** The body of `/docs`: every page with its line. */
export function indexBody(groups: PageGroup[]): string {
  const lists = groups.map(({ title, pages }) => {
    const items = pages.map(
      (one) =>
        `<li><a href="${addressOf(one)}">${escape(one.title)}</a>: ${escape(one.about)}</li>`,
    );
    return `<h2>${escape(title)}</h2>\n<ul>\n${items.join('\n')}\n</ul>`;
  });
  return `<h1>Millrace</h1>
<p>Millrace sends the changes of your records to HTTP endpoints as signed webhooks: in order per record, with
24 hours of retries, and from a stream that each consumer reads at its own position.</p>
${lists.join('\n')}
<h2>For programs</h2>
<ul>
<li><a href="/docs/reference">API reference</a>: every route, to try out (needs JavaScript and an API key)</li>
<li><a href="/v1/openapi.json">OpenAPI document</a>: for generators and tools</li>
<li><a href="/llms.txt">llms.txt</a>: these pages as Markdown, for language models</li>
</ul>`;
}

/** The address of a page on the site. */
export function addressOf({ name }: PageEntry): string {
  return `/docs/${name}`;
}

/** Escapes text for HTML, in attributes as well. */
export function escape(text: string): string {
  return text.replaceAll(/[&<>"]/gu, (one) => `&#${one.codePointAt(0)};`);
}

function pagesList(groups: PageGroup[], current: string | null): string {
  return groups
    .map(({ title, pages }) => {
      const items = pages.map((one) => {
        const address = addressOf(one);
        const mark = address === current ? ' aria-current="page"' : '';
        return `<li><a href="${address}"${mark}>${escape(one.title)}</a></li>`;
      });
      return `<p>${escape(title)}</p><ul>${items.join('')}</ul>`;
    })
    .join('');
}

function contentsList(headings: Heading[]): string {
  const items = headings.map(
    ({ level, id, text }) =>
      `<li class="level-${level}"><a href="#${escape(id)}">${escape(text)}</a></li>`,
  );
  return `<ul>${items.join('')}</ul>`;
}
