import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { open, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { exists } from '../../src/cli/importCheckpoint.ts';
import { runCli } from '../support/cli.ts';
import { runImport, writeImportFile } from '../support/importFile.ts';
import { openImportSite, type ImportSite } from '../support/importSite.ts';
import { createProxy } from '../support/proxy.ts';

let site: ImportSite;

beforeAll(async () => {
  site = await openImportSite();
});
afterAll(() => site[Symbol.asyncDispose]());

const keyed = (sync: string): string[] => ['--sync', sync, '--collection', 'a:b', '--key', 'id'];

async function read(sync: string): Promise<Record<string, unknown>[]> {
  const path = `/v1/records?sync_id=${sync}&limit=1000`;
  const page = await site.cluster.request<{ records: { data: Record<string, unknown> }[] }>(
    'GET',
    path,
  );
  return page.records.map(({ data }) => data);
}

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const utf16 = (text: string): Buffer => Buffer.from(text, 'utf16le');

test.each<[string, string | Buffer, string[], RegExp]>([
  ['repeated-names.csv', 'id,name,a,name\n1,2,3,4\n', [], /repeats "name" \(columns 2 and 4\)/u],
  ['repeated-empty-names.csv', 'id,,\n1,2,3\n', [], /repeats "" \(columns 2 and 3\)/u],
  ['open-header.csv', 'id,"name\n1,2\n', [], /header in line 1 can't be used: it opens a quote/u],
  ['long-header.csv', `id,"name\n${'1,2\n'.repeat(30)}1,"`, [], /closed only in line 32/u],
  [
    'latin1-header.csv',
    latin1('id,Größe\n1,2\n'),
    [],
    /header in line 1 .* not UTF-8; --encoding/u,
  ],
  [
    'no-such-key.csv',
    'name,other\n1,2\n',
    [],
    /No column has the name .*, "id"; .* "name", "other"/u,
  ],
  ['two-delimiters.csv', 'id;a,b\n1;2,3\n', [], /separated by , or by ;; set --delimiter/u],
  ['no-mark.csv', utf16('id,name\n1,2\n'), [], /like UTF-16 without a byte order mark.* utf-16le/u],
  [
    'other-mark.csv',
    utf16('\uFEFFid\n1\n'),
    ['--encoding', 'latin1'],
    /mark of utf-16le, but --encoding is/u,
  ],
  ['utf-32.csv', Buffer.from([0xff, 0xfe, 0, 0, 0x69, 0, 0, 0]), [], /UTF-32/u],
  ['no-encoding.csv', 'id\n1\n', ['--encoding', 'klingon'], /--encoding takes .*, not klingon/u],
  ['no-delimiter.csv', 'id\n1\n', ['--delimiter', ';;'], /--delimiter takes one character/u],
  ['delimiter.ndjson', '{}', ['--delimiter', ';'], /--delimiter is only for CSV/u],
  ['itself.csv', 'id\n1\n', ['--rejects', 'itself.csv'], /--rejects must name a file other than/u],
])('%s is refused before anything is sent', async (name, content, flags, words) => {
  const path = await site.file(name, content);
  const { code, stderr } = await site.run([path, ...keyed(`refused-${name}`), ...flags]);
  expect(stderr).toMatch(words);
  expect(code).toBe(2);
  expect(await read(`refused-${name}`)).toEqual([]);
});

test.each<[string, (text: string) => Buffer, string[]]>([
  ['mend 16.csv', (text) => utf16(`\uFEFF${text}`), []],
  ['mend latin1.csv', latin1, ['--encoding', 'latin1']],
])(
  'the file that --rejects wrote for %s can be imported once its lines are fixed',
  async (name, encode, flags) => {
    const path = await site.file(name, encode('id;näme\r\n1;a\r\n2;"ü\r\n3;b\r\n4;c;d'));
    const rejects = join(site.folder, `bad ${name}`);
    const sync = `mended-${flags.length}`;
    const first = await site.run([path, ...keyed(sync), ...flags, '--rejects', rejects]);
    expect(first.code).toBe(1);
    expect(first.stderr).toContain(
      'Line 3 opens a quote that is not closed: "2;\\"ü"\nLine 5 has 3 values for 2 columns: "4;c;d"\n',
    );
    const bytes = await readFile(rejects);
    expect(bytes.equals(encode('id;näme\r\n2;"ü\r\n4;c;d\n'))).toBe(true);
    await writeFile(rejects, encode('id;näme\r\n2;"ü"\r\n4;c\n'));
    expect(await site.run([rejects, ...keyed(sync), ...flags])).toMatchObject({ code: 0 });
    const found = await read(sync);
    expect(found.map((data) => [data['id'], data['näme']])).toEqual([
      ['1', 'a'],
      ['3', 'b'],
      ['2', 'ü'],
      ['4', 'c'],
    ]);
  },
);

test('the first ten rejected lines are shown on one line each, and the others are counted', async () => {
  const lines = Array.from({ length: 13 }, (_, id) => `{"${id}\u001B[31m\u009B${'x'.repeat(500)}`);
  const path = await site.file('many.ndjson', lines.join('\n'));
  const { code, stderr } = await site.run([path]);
  expect(code).toBe(1);
  const shown = stderr.split('\n').filter((line) => line.startsWith('Line '));
  expect(shown).toHaveLength(10);
  expect(shown[9]).toMatch(/^Line 10 is not JSON: "\{\\"9\\u001b\[31m\\u009bx+…"$/u);
  expect(shown[9]!.length).toBeLessThan(250);
  expect(stderr).toContain('… and 3 more\n13 lines were rejected; ');
});

test('a line of 150 MB is refused with its number, in little memory, and --rejects has all of it', async () => {
  const path = join(site.folder, 'huge.ndjson');
  const rejects = join(site.folder, 'huge rejects.ndjson');
  const megabyte = 'x'.repeat(1024 * 1024);
  const out = createWriteStream(path);
  out.write('{"id":1}\n"');
  for (let one = 0; one < 150; one++) if (!out.write(megabyte)) await once(out, 'drain');
  out.end('"\n{"id":2}\n');
  await finished(out);
  const args = [path, ...keyed('huge'), '--rejects', rejects];
  const run = await runImport({ args, env: site.cluster.api, apiPid: site.server.pid });
  expect(run.code).toBe(1);
  expect(run.stderr).toContain('Line 2 is longer than 3145728 bytes: "\\"xxxx');
  expect(run.cliMb).toBeLessThan(300);
  expect((await stat(rejects)).size).toBe(150 * megabyte.length + 3);
  expect(await read('huge')).toEqual([{ id: 1 }, { id: 2 }]);
});

test('a change in the part of a file that was read already is noticed, even if its size and time are the same', async () => {
  const path = join(site.folder, 'changed.ndjson');
  await writeImportFile(path, 30_000);
  const before = await stat(path);
  await using proxy = await createProxy(site.cluster.api.MILLRACE_URL);
  proxy.silenceAfter(4_000_000);
  const killWhen = async (): Promise<boolean> =>
    proxy.isSilent && (await exists(`${path}.millrace-import`));
  const env = { ...site.cluster.api, MILLRACE_URL: proxy.url };
  const run = await runImport({ args: [path], env, apiPid: site.server.pid, killWhen });
  expect(run.killed).toBe(true);
  const handle = await open(path, 'r+');
  await handle.write(Buffer.from('y'), 0, 1, 1_500_000);
  await handle.close();
  await utimes(path, before.atime, before.mtime);
  const { code, stderr } = await site.run([path, '--resume']);
  expect(stderr).toContain('The file has changed since its import began');
  expect(code).toBe(1);
}, 240_000);

test('an event of stdin is a duplicate only when all of stdin is the same', async () => {
  const flags = ['--json', '--stream', 'events', ...keyed('piped')];
  const counts = async (input: string): Promise<unknown> =>
    JSON.parse((await site.run(['-', ...flags], input)).stdout);
  expect(await counts('{"id":1}\n')).toMatchObject({ accepted: 1, duplicates: 0 });
  expect(await counts('{"id":1}\n{"id":2}\n')).toMatchObject({ accepted: 2, duplicates: 0 });
  expect(await counts('{"id":1}\n')).toMatchObject({ accepted: 0, duplicates: 1 });
});

test('a file of --data that is not UTF-8 is refused, not replaced', async () => {
  const path = await site.file('data.json', latin1('{"name":"Müller"}'));
  const sent = await runCli(
    ['send', '--stream', 'records', '--data', `@${path}`],
    site.cluster.api,
  );
  expect(sent).toMatchObject({ code: 2, stderr: expect.stringContaining('is not UTF-8') });
});

test('CSV whose rows name no record is refused with the flags that name it, and the earlier list of rejected lines is kept', async () => {
  const path = await site.file('bare.csv', 'id,name\n1,Ada\n');
  await site.file('bare.csv.rejected.ndjson', 'of an earlier import\n');
  const { code, stderr } = await site.run([path]);
  expect(code).toBe(2);
  expect(stderr).toContain('add --sync SYNC --collection PROVIDER:NAME --key COLUMN');
  expect(await readFile(`${path}.rejected.ndjson`, 'utf8')).toBe('of an earlier import\n');
  const named = await site.file('named.csv', 'upstream_id,data\n1,Ada\n');
  expect((await site.run([named, '--sync', 's'])).stderr).toMatch(/add --collection [A-Z:]+\n/u);
  const wrong = await site.run([path, '--sync', 's', '--collection', 'x', '--key', 'id']);
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(/^--collection must be/u) });
});

test('only lines that are accepted or rejected count as entries', async () => {
  const path = await site.file('sums.csv', 'id,name\n1,"Ada\nLovelace"\n\n,Bob\n2,Cy\n');
  const { code, stdout, stderr } = await site.run([path, ...keyed('sums'), '--json']);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ lines: 6, entries: 3, accepted: 2, rejected: 1 });
  expect(stderr).toContain('1 line was rejected');
});

test('lines that name no sync or collection are listed, with the flags that add them', async () => {
  const path = await site.file('nameless.ndjson', '{"upstream_id":"1","data":{}}\n{"data":{}}\n');
  const { code, stderr } = await site.run([path, '--collection', 'a:b']);
  expect(code).toBe(1);
  expect(stderr).toContain('Lines without sync_id: set --sync');
});
