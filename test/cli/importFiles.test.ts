import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { importCases, type ImportCase } from '../support/importCases.ts';
import { runImport, type ImportRun } from '../support/importFile.ts';
import { openImportSite, type ImportSite } from '../support/importSite.ts';
import { IS_LONG } from '../support/long.ts';
import { createProxy } from '../support/proxy.ts';
import { drawFrom } from '../support/seeded.ts';

/** `SEED=… npx vitest run test/cli/importFiles.test.ts` repeats the places of its kills; KILLS=10 makes more of them. */
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 1e9));
/** More than are appended with one request. */
const ROWS = IS_LONG ? 2_600 : 1_300;
const KILLS = Number(process.env['KILLS'] ?? (IS_LONG ? 10 : 1));

let site: ImportSite;
let killed = 0;
const random = drawFrom(SEED);

beforeAll(async () => {
  process.stderr.write(`import: SEED=${SEED}\n`);
  site = await openImportSite();
});
afterAll(() => site[Symbol.asyncDispose]());

test.each(importCases(ROWS))(
  'each line of $file is imported or listed, however often the import is killed and resumed',
  async (one) => {
    const path = join(site.folder, one.file);
    await writeFile(path, one.bytes);
    const sync = `files ${one.file}`;
    const args = [path, '--stream', 'events', '--sync', sync, '--collection', 'a:b', '--key', 'id'];
    args.push(...one.flags);
    for (let kills = 0; kills < KILLS && one.good.length > 0; kills++) {
      // An entry has some 130 bytes on the wire.
      const bytes = random() * 130 * one.good.length;
      const run = await importUntil([...args, '--resume'], bytes);
      if (run.killed) killed++;
      else expectEnd(run, one);
    }
    const env = { api: site.cluster.api, apiPid: site.server.pid };
    const last = await runImport({ args: [...args, '--resume'], env: env.api, apiPid: env.apiPid });
    expectEnd(last, one);

    const imported = await read(sync);
    expect(imported.map(({ data }) => data)).toEqual(one.good.map(({ data }) => data));
    const listed = await listOf(path);
    expect(listed).toEqual(
      one.bad.map(({ line, last, reason, text }) => ({
        line,
        ...(last > line && { last_line: last }),
        reason: expect.stringMatching(reason),
        text,
      })),
    );
  },
  240_000,
);

test('the imports above were killed', () => {
  expect(killed).toBeGreaterThan((importCases(0).length * KILLS) / 4);
});

/** Imports, and kills the import as soon as so many bytes have gone to the API, whose answer is lost. */
async function importUntil(args: string[], bytes: number): Promise<ImportRun> {
  await using proxy = await createProxy(site.cluster.api.MILLRACE_URL);
  proxy.silenceAfter(bytes);
  const env = { ...site.cluster.api, MILLRACE_URL: proxy.url };
  return await runImport({
    args,
    env,
    apiPid: site.server.pid,
    killWhen: async () => proxy.isSilent,
  });
}

function expectEnd(run: ImportRun, { good, bad }: ImportCase): void {
  expect({ code: run.code, stderr: run.stderr }).toMatchObject({ code: bad.length > 0 ? 1 : 0 });
  const { lines, ...counts } = JSON.parse(run.stdout) as Record<string, number>;
  expect(counts).toMatchObject({ rejected: bad.length });
  expect(lines).toBe(Math.max(0, ...[...good, ...bad].map(({ last }) => last)));
}

async function listOf(path: string): Promise<unknown[]> {
  const text = await readFile(`${path}.rejected.ndjson`, 'utf8').catch(() => ''); // nothing was rejected
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);
}

async function read(sync: string): Promise<{ data: unknown }[]> {
  const all: { data: unknown }[] = [];
  for (let cursor = ''; ;) {
    const query = new URLSearchParams({ sync_id: sync, limit: '1000' });
    if (cursor !== '') query.set('after_cursor', cursor);
    const page: { events: { data: unknown }[]; cursor: string } = await site.cluster.request(
      'GET',
      `/v1/events?${query.toString()}`,
    );
    if (page.events.length === 0) return all;
    all.push(...page.events);
    cursor = page.cursor;
  }
}
