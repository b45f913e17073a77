import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the project, which has the files that are shown. */
export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

/** One page of the documentation. */
export interface PageEntry {
  /** The address is `/docs/<name>`, and that of its Markdown `/docs/<name>.md`. */
  name: string;
  /** The Markdown, from the folder of the project. */
  file: string;
  title: string;
  /** One line that says which question the page answers. */
  about: string;
}

/** Pages that are listed under one heading. */
export interface PageGroup {
  title: string;
  pages: PageEntry[];
}

/** The files of the documentation that may be read; nothing else is served. */
export interface Catalog {
  groups: PageGroup[];
  /** Pages that are linked to and not listed. */
  unlisted: PageEntry[];
  /** Files that pages show or offer, from the folder `docs`, with their types. */
  files: Map<string, string>;
}

const page = (name: string, title: string, about: string, file = `docs/${name}.md`): PageEntry => ({
  name,
  file,
  title,
  about,
});

const GROUPS: PageGroup[] = [
  {
    title: 'Begin',
    pages: [
      page('readme', 'Millrace', 'what it is, what it guarantees, and who it is for', 'README.md'),
      page('quick-start', 'Quick start', 'from nothing to a delivered and verified webhook'),
      page('concepts', 'Concepts', 'streams, consumers, positions, and what each status means'),
    ],
  },
  {
    title: 'Guides',
    pages: [
      page('appending', 'Appending records', 'how records get in, whole or in parts'),
      page('receiving', 'Receiving webhooks', 'what arrives, how to verify it, what to answer'),
      page(
        'sources',
        'A Postgres database',
        'each row a record, each change an event, without code',
      ),
      page('connectors', 'Singer, Airbyte and Debezium', 'any connector that there is, on stdin'),
      page('filters', 'Filters', 'which entries a consumer gets, and how to change them'),
      page('shaping', 'Shaping what is sent', 'whole entries, parts of them, or another body'),
      page('failures', 'Failures and the 24 hours', 'retries, dead letters, stops and resuming'),
      page('operating', 'Operating', 'processes, variables, metrics, upgrades, what may be away'),
    ],
  },
  {
    title: 'Reference',
    pages: [
      page('api', 'API', 'every route with its parameters, bodies and answers'),
      page('errors', 'Errors', 'every error code, and what to do'),
      page('cli', 'Command line', 'names, output, exit codes'),
    ],
  },
  {
    title: 'Background',
    pages: [
      page('promises', 'Promises', 'what is guaranteed, with the tests that prove it'),
      page('design', 'How it works', 'the life of one event, and each mechanism'),
      page('decisions', 'Decisions', 'why some things are as they are', 'docs/decisions/README.md'),
      page('changelog', 'Changelog', 'what has changed, and what you have to do', 'CHANGELOG.md'),
    ],
  },
];

const TYPES: Record<string, string> = { png: 'image/png', svg: 'image/svg+xml' };
const OFFERED = { 'operating/alerts.yml': 'text/yaml', 'operating/grafana.json': 'text/json' };

/** The documentation: the pages above, the single decisions, and the images. */
export async function readCatalog(): Promise<Catalog> {
  const decisions = await readdir(join(PROJECT, 'docs/decisions'));
  const unlisted = decisions
    .filter((file) => /^\d{4}-[\w-]+\.md$/u.test(file))
    .map((file) => file.slice(0, -'.md'.length))
    .map((name) => page(`decisions/${name}`, `Decision ${name.slice(0, 4)}`, name.slice(5)));
  const images = await readdir(join(PROJECT, 'docs/images'));
  const files = new Map(Object.entries(OFFERED));
  for (const image of images) {
    const type = TYPES[image.split('.').at(-1) ?? ''];
    if (type !== undefined) files.set(`images/${image}`, type);
  }
  return { groups: GROUPS, unlisted, files };
}
