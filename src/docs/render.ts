import GithubSlugger from 'github-slugger';
import MarkdownIt, { type Token } from 'markdown-it';

import type { Links } from './links.ts';

/** A heading of a page; `id` is the anchor that GitHub gives it. */
export interface Heading {
  level: number;
  id: string;
  text: string;
}

/** The text under one heading, as plain text; the first part of a page may have no heading of its own. */
export interface Section {
  heading: Heading | null;
  text: string;
}

/** A page as HTML, without the layout around it. */
export interface Rendered {
  html: string;
  headings: Heading[];
  sections: Section[];
}

/** HTML in the Markdown is shown as text, and addresses that run a script do not become links. */
const markdown = new MarkdownIt({ html: false });
markdown.renderer.rules['table_open'] = () =>
  '<div class="table" role="group" aria-label="Table"><table>\n';
markdown.renderer.rules['table_close'] = () => '</table></div>\n';
markdown.renderer.rules['heading_close'] = (tokens, index) => {
  const { tag, meta } = tokens[index]!;
  const { id, text } = meta as unknown as Heading;
  const name = markdown.utils.escapeHtml(`Link to ${text}`);
  return `<a class="anchor" href="#${id}" aria-label="${name}">#</a></${tag}>\n`;
};

/** Renders the Markdown of `file`; its links and images lead where `links` says. */
export function render(text: string, file: string, links: Links): Rendered {
  const tokens = markdown.parse(text, {});
  const headings = markHeadings(tokens);
  const sections = sectionsOf(tokens);
  for (const token of tokens) {
    if (token.type === 'inline') redirect(token, file, links);
    // The policy of the page allows no styles within tags.
    const style = token.attrGet('style');
    if (style !== null) token.attrs = [['class', String(style).replace('text-align:', '')]];
  }
  return { html: markdown.renderer.render(tokens, markdown.options, {}), headings, sections };
}

function markHeadings(tokens: Token[]): Heading[] {
  const slugger = new GithubSlugger();
  const headings: Heading[] = [];
  for (const [index, token] of tokens.entries()) {
    if (token.type !== 'heading_open') continue;
    const text = plain(tokens[index + 1]?.children ?? []);
    const heading = { level: Number(token.tag.slice(1)), id: slugger.slug(text), text };
    token.attrSet('id', heading.id);
    tokens[index + 2]!.meta = { ...heading };
    headings.push(heading);
  }
  return headings;
}

function sectionsOf(tokens: Token[]): Section[] {
  const sections: { heading: Heading | null; texts: string[] }[] = [{ heading: null, texts: [] }];
  let isHeading = false;
  for (const { type, meta, content, children } of tokens) {
    if (type === 'heading_open') isHeading = true;
    else if (type === 'heading_close') {
      sections.push({ heading: meta as unknown as Heading, texts: [] });
      isHeading = false;
    } else if (isHeading) continue;
    else if (type === 'inline') sections.at(-1)!.texts.push(plain(children ?? []));
    else if (type === 'fence' || type === 'code_block') sections.at(-1)!.texts.push(content);
  }
  return sections.map(({ heading, texts }) => ({
    heading,
    text: texts.join(' ').replaceAll(/\s+/gu, ' ').trim(),
  }));
}

function plain(tokens: Token[]): string {
  return tokens
    .map(({ type, content, children }) =>
      type === 'softbreak' || type === 'hardbreak'
        ? ' '
        : type === 'image'
          ? plain(children ?? [])
          : content,
    )
    .join('');
}

/** Makes links lead to the site, and turns links to files that it does not have into text that names the file. */
function redirect(inline: Token, file: string, links: Links): void {
  const tokens = inline.children ?? [];
  for (const [index, token] of tokens.entries()) {
    if (token.type !== 'link_open' && token.type !== 'image') continue;
    const address = token.type === 'image' ? 'src' : 'href';
    const to = links.lead(String(token.attrGet(address) ?? ''), file);
    if ('href' in to) token.attrSet(address, to.href);
    else if (token.type === 'link_open') unlink(tokens.slice(index), to.file);
    else toText(token, plain(token.children ?? []));
  }
  const first = tokens[0];
  if (first?.type === 'text') first.content = first.content.replace(/^\[[ x]\] /u, '☐ ');
}

/**
 * Turns the link with which `tokens` begin into text: as code if it names `file`, otherwise followed by the
 * name of the file.
 */
function unlink(tokens: Token[], file: string): void {
  const end = tokens.findIndex(({ type }) => type === 'link_close');
  const words = tokens.slice(1, end);
  const isName = file.endsWith(plain(words).replace(/\/$/u, ''));
  toText(tokens[0]!, '');
  toText(tokens[end]!, isName ? '' : ` (${file})`);
  const [word] = words;
  if (isName && words.length === 1 && word !== undefined) {
    word.type = 'code_inline';
    word.tag = 'code';
  }
}

function toText(token: Token, content: string): void {
  token.type = 'text';
  token.tag = '';
  token.nesting = 0;
  token.content = content;
}
