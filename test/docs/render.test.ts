// how one page of Markdown becomes HTML
import { expect, test } from 'vitest';

import { createLinks } from '../../src/docs/links.ts';
import { render } from '../../src/docs/render.ts';

const links = createLinks(
  new Map([
    ['docs/a.md', '/docs/a'],
    ['docs/deep/b.md', '/docs/deep/b'],
    ['README.md', '/docs/readme'],
  ]),
  new Map([['docs/images/c.png', '/docs/images/c.png']]),
);
const html = (text: string, file = 'docs/a.md'): string => render(text, file, links).html.trim();

test('HTML in the Markdown is shown as text, and an address that runs a script does not become a link', () => {
  expect(html('<script>alert(1)</script>')).toBe('<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>');
  expect(html('<b onclick="x">b</b>')).not.toContain('<b');
  expect(html('[x](javascript:alert(1))')).not.toContain('<a');
  expect(html('[x](a.md"onclick="y)')).not.toContain('"onclick');
});

test.each([
  ['[b](deep/b.md)', '<p><a href="/docs/deep/b">b</a></p>'],
  ['[b](deep/b.md#part)', '<p><a href="/docs/deep/b#part">b</a></p>'],
  ['[r](../README.md#words)', '<p><a href="/docs/readme#words">r</a></p>'],
  ['[here](#part)', '<p><a href="#part">here</a></p>'],
  ['[there](https://example.com/x)', '<p><a href="https://example.com/x">there</a></p>'],
  ['![c](images/c.png)', '<p><img src="/docs/images/c.png" alt="c"></p>'],
  ['![the words](images/lost.png)', '<p>the words</p>'],
  ['[`src/x.ts`](../src/x.ts)', '<p><code>src/x.ts</code></p>'],
  ['[x.test.ts](../test/x.test.ts): t', '<p><code>x.test.ts</code>: t</p>'],
  ['[how](../bench/README.md) it is', '<p>how (bench/README.md) it is</p>'],
  ['- [ ] to do', '<ul>\n<li>☐ to do</li>\n</ul>'],
])('%s', (text, expected) => {
  expect(html(text)).toBe(expected);
});

test('links are resolved from the folder of the file', () => {
  expect(html('[a](../a.md)', 'docs/deep/b.md')).toBe('<p><a href="/docs/a">a</a></p>');
  expect(html('[a](docs/a.md)', 'README.md')).toBe('<p><a href="/docs/a">a</a></p>');
});

test('headings have the anchors of GitHub, with a number where two are equal', () => {
  const { headings } = render(
    '# One `event_id`’s life\n\n## It’s: A\n\n## It’s: A\n',
    'x.md',
    links,
  );
  expect(headings.map(({ id }) => id)).toEqual(['one-event_ids-life', 'its-a', 'its-a-1']);
});

test('a section is the text under one heading, as plain text', () => {
  const text =
    '# A\n\nOne *two*\nthree.\n\n## B\n\n| x | y |\n|---|--:|\n| `1` | 2 |\n\n```sh\nls\n```\n';
  const { sections, html: whole } = render(text, 'x.md', links);
  expect(sections.map(({ heading, text: words }) => [heading?.text, words])).toEqual([
    [undefined, ''],
    ['A', 'One two three.'],
    ['B', 'x y 1 2 ls'],
  ]);
  expect(whole).toContain('<td class="right">2</td>');
  expect(whole).not.toContain('style=');
});
