import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { lineOf, seenOf, statedBy, type AnswerRow } from '../support/answerRow.ts';
import { ON_A_NEW_CONNECTION, ON_A_USED_CONNECTION } from './answers/losses.ts';
import { PLACES } from './answers/places.ts';
import { INTERIM, WHOLE } from './answers/reads.ts';
import { SECURE } from './answers/secure.ts';
import { UNREADABLE } from './answers/unreadable.ts';

const PAGE = join(import.meta.dirname, '../../docs/receiving.md');
const TABLES: [heading: string, rows: AnswerRow[]][] = [
  ['Complete answers', WHOLE],
  ['Interim answers', INTERIM],
  ['A new connection is lost', ON_A_NEW_CONNECTION],
  ['A connection that has served before is lost', ON_A_USED_CONNECTION],
  ['Answers that can’t be read', UNREADABLE],
  ['TLS and HTTP/2', SECURE],
  ['Hosts with several addresses', PLACES],
];

describe.each(TABLES)('%s: an endpoint', (_heading, rows) => {
  test.each(rows.map((row) => [row.when, row] as const))('that %s', async (_when, row) => {
    expect(await seenOf(row)).toEqual(statedBy(row));
  });
});

test.each(TABLES)(
  'docs/receiving.md has the rows of "%s" as they are tested',
  async (heading, rows) => {
    const page = await readFile(PAGE, 'utf8');
    const [, section = ''] = page.split(`\n### ${heading}\n`);
    const lines = section.split('\n### ')[0]!.split('\n## ')[0]!.split('\n');
    const stated = lines.filter((line) => line.startsWith('| ')).slice(1);
    expect(stated).toEqual(rows.map(lineOf));
  },
);
