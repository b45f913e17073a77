import { readFile, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { exists } from '../../src/cli/importCheckpoint.ts';
import type { CliResult } from '../support/cli.ts';
import { runImport, writeImportFile } from '../support/importFile.ts';
import { openImportSite, type ImportSite } from '../support/importSite.ts';
import { createProxy } from '../support/proxy.ts';

interface Found {
  sync_id: string;
  collection_id: string;
  upstream_id: string;
  data: Record<string, unknown>;
  event_id: string;
  event: string;
}

let site: ImportSite;

beforeAll(async () => {
  site = await openImportSite();
});
afterAll(() => site[Symbol.asyncDispose]());

function importing(args: string[], input?: string): Promise<CliResult> {
  return site.run(['--json', ...args], input);
}

/** What a sync has, as text too: numbers there are as they were sent. */
async function read(stream: 'records' | 'events', sync: string): Promise<Found[]> {
  const all: Found[] = [];
  for (let cursor = ''; ;) {
    const after = cursor === '' ? '' : `&after_cursor=${cursor}`;
    const page: { records?: Found[]; events?: Found[]; cursor: string } =
      await site.cluster.request('GET', `/v1/${stream}?sync_id=${sync}&limit=1000${after}`);
    const found = page[stream] ?? [];
    if (found.length === 0) return all;
    all.push(...found);
    cursor = page.cursor;
  }
}

/**
 * Begins an import that is killed once `killWhen` is true. After so many bytes the API's answers do
 * not reach it, so it does not end before: the part that was on its way is repeated by `--resume`.
 */
async function importHalf(
  args: string[],
  bytes: number,
  killWhen: () => Promise<boolean>,
): ReturnType<typeof runImport> {
  await using proxy = await createProxy(site.cluster.api.MILLRACE_URL);
  proxy.silenceAfter(bytes);
  const env = { ...site.cluster.api, MILLRACE_URL: proxy.url };
  return await runImport({ args, env, apiPid: site.server.pid, killWhen });
}

const line = (fields: object): string => JSON.stringify({ sync_id: 's', ...fields });

test('NDJSON of entries is imported as it is, with numbers of any length', async () => {
  const path = await site.file(
    'plain.ndjson',
    '{"sync_id":"exact","collection_id":"a:b","upstream_id":"1","data":{"n":9007199254740993,"d":1.10}}\n\n' +
      '{"sync_id":"exact","collection_id":"a:b","upstream_id":"2","deleted":true}',
  );
  const { code, stdout } = await importing([path]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ lines: 3, accepted: 2, created: 1, rejected: 0 });
  const response = await fetch(`${site.cluster.api.MILLRACE_URL}/v1/records?sync_id=exact`, {
    headers: { authorization: `Bearer ${site.cluster.api.MILLRACE_API_KEY}` },
  });
  expect(await response.text()).toContain('"data":{"n":9007199254740993,');
});

test.each([
  [
    'array.json',
    '[ {"id": 9007199254740993, "name":\n"Ä, ]}"}, {"id":"b","name":"\\"x\\\\"},\n3 ]',
  ],
  ['rows.csv', 'id,name\n9007199254740993,"Ä, ]}"\nb,"""x\\"\n3\n'],
  ['bom.csv', '\uFEFFid,name\r\n9007199254740993,"Ä, ]}"\r\nb,"""x\\"\r\n3\r\n'],
  [
    'bom.ndjson',
    '\uFEFF{"id":9007199254740993,"name":"Ä, ]}"}\r\n{"id":"b","name":"\\"x\\\\"}\r\n3\r\n',
  ],
])(
  'each element of %s becomes a record, keyed by one of its fields, and elements that cannot are listed',
  async (name, text) => {
    const path = await site.file(name, text);
    const sync = `keyed-${name}`;
    const flags = ['--sync', sync, '--collection', 'crm:person', '--key', 'id'];
    const { code, stdout, stderr } = await importing([path, ...flags]);
    expect({ code, rejected: (JSON.parse(stdout) as { rejected: number }).rejected }).toEqual({
      code: 1,
      rejected: 1,
    });
    const records = await read('records', sync);
    expect(records.map((one) => [one.upstream_id, one.data['name'], one.collection_id])).toEqual([
      ['9007199254740993', 'Ä, ]}', 'crm:person'],
      ['b', '"x\\', 'crm:person'],
    ]);
    expect(stderr).toContain(`${path}.rejected.ndjson`);
    const rejected = (await readFile(`${path}.rejected.ndjson`, 'utf8')).trim();
    expect(JSON.parse(rejected)).toMatchObject({
      line: name.endsWith('.csv') ? 4 : 3,
      reason: expect.stringMatching(
        name.endsWith('.csv') ? /^has 1 value for 2 columns$/u : /must be a JSON object/u,
      ),
    });
    expect(await exists(`${path}.millrace-import`)).toBe(false);
  },
);

test('every line that is not an entry is listed with its number and the reason, and the rest is imported', async () => {
  const good = (id: string): string => line({ collection_id: 'a:b', upstream_id: id, data: 1 });
  const path = await site.file(
    'bad.ndjson',
    Buffer.concat([
      Buffer.from(
        [
          good('1').replace('"s"', '"bad"'),
          '{"broken',
          line({ collection_id: 'nocolon', upstream_id: '2', data: 1 }),
          line({ collection_id: 'a:b', upstream_id: '3' }),
          line({ collection_id: 'a:b', upstream_id: '4', data: 1, colour: 'red' }),
          '',
        ].join('\n'),
      ),
      Buffer.from([0x22, 0xff, 0x22, 0x0a]),
      Buffer.from(`"${'x'.repeat(4 * 1024 * 1024)}"\n`),
      Buffer.from(good('5').replace('"s"', '"bad"')),
    ]),
  );
  const { code } = await importing([path]);
  expect(code).toBe(1);
  expect((await read('records', 'bad')).map((one) => one.upstream_id)).toEqual(['1', '5']);
  const text = await readFile(`${path}.rejected.ndjson`, 'utf8');
  const rejected = text
    .trim()
    .split('\n')
    .map((one) => JSON.parse(one) as { line: number; reason: string });
  expect(rejected.map((one) => [one.line, one.reason])).toEqual([
    [2, 'is not JSON'],
    [3, '/collection_id must be provider:name, for example stripe:customer'],
    [4, '/data is required unless deleted is true'],
    [5, '/colour is not a known field'],
    [6, 'is not UTF-8; --encoding names another encoding, for example --encoding latin1'],
    [7, 'is longer than 3145728 bytes'],
  ]);
});

test('events that are imported again count as duplicates, one for each line', async () => {
  const lines = Array.from({ length: 30 }, (_, id) => `{"id":${id % 3},"same":true}`).join('\n');
  const path = await site.file('events.ndjson', lines);
  const flags = ['--stream', 'events', '--sync', 'again', '--collection', 'a:b', '--key', 'id'];
  const first = await importing([path, ...flags, '--event', 'updated']);
  const second = await importing([path, ...flags, '--event', 'updated']);
  expect(JSON.parse(first.stdout)).toMatchObject({ accepted: 30, duplicates: 0 });
  expect(JSON.parse(second.stdout)).toMatchObject({ duplicates: 30 });
  const events = await read('events', 'again');
  expect(events).toHaveLength(30);
  expect(new Set(events.map((one) => one.event))).toEqual(new Set(['updated']));
});

test('stdin can be imported as well', async () => {
  const text = line({ collection_id: 'a:b', upstream_id: '1', data: 1 }).replace('"s"', '"piped"');
  const { code } = await importing(['-'], text);
  expect(code).toBe(0);
  expect(await read('records', 'piped')).toHaveLength(1);
});

test('20,000 lines arrive once each when the import is killed halfway and resumed, with a restart of the API in between', async () => {
  const path = join(site.folder, 'big.ndjson');
  await writeImportFile(path, 20_000);
  const size = (await stat(path)).size;
  const offset = async (): Promise<number> => {
    const text = await readFile(`${path}.millrace-import`, 'utf8').catch(() => 'null');
    return (JSON.parse(text) as { place: { offset: number } } | null)?.place.offset ?? 0;
  };
  const first = await importHalf([path], size * 0.6, async () => (await offset()) > size * 0.4);
  expect(first.killed).toBe(true);
  const kept = await offset();
  expect(kept).toBeLessThan(size);
  await site.server.killHard();
  const resuming = runImport({
    args: [path, '--resume'],
    env: site.cluster.api,
    apiPid: site.server.pid,
  });
  site.server = await site.cluster.startServer();
  const second = await resuming;
  expect(second.code).toBe(0);
  expect(second.stderr).toContain('Continuing after line');
  const result = JSON.parse(second.stdout) as Record<string, number>;
  expect(result['lines']).toBe(20_000);
  const records = await read('records', 'import');
  expect(records).toHaveLength(20_000);
  expect(new Set(records.map((one) => one.upstream_id)).size).toBe(20_000);
  const events = await read('events', 'import');
  expect(events).toHaveLength(20_000); // none was updated by a line that came twice
  expect(first.cliMb).toBeLessThan(300);
  expect(second.cliMb).toBeLessThan(300);
}, 240_000);

test('an import of an array or of CSV resumes where it was, between two elements', async () => {
  const elements = Array.from({ length: 9_000 }, (_, id) => ({ id, text: 'ä"\n,'.repeat(200) }));
  const quote = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  const csv = `id,text\n${elements.map((one) => `${one.id},${quote(one.text)}`).join('\n')}\n`;
  for (const [name, text] of [
    ['resume.json', JSON.stringify(elements, null, 1)],
    ['resume.csv', csv],
  ] as const) {
    const path = await site.file(name, text);
    const flags = ['--sync', name, '--collection', 'a:b', '--key', 'id', '--stream', 'events'];
    const begun = async (): Promise<boolean> => exists(`${path}.millrace-import`);
    const first = await importHalf([path, ...flags], text.length / 2, begun);
    expect(first.killed).toBe(true);
    const run = { env: site.cluster.api, apiPid: site.server.pid };
    const second = await runImport({ ...run, args: [path, ...flags, '--resume'] });
    expect(second).toMatchObject({ code: 0 });
    const ids = (await read('events', name)).map((one) => Number(one.upstream_id));
    expect(ids).toEqual(elements.map((one) => one.id));
  }
}, 240_000);

test('--resume refuses stdin, and a file or flags other than those of the first run', async () => {
  const path = await site.file('other.ndjson', '');
  await writeImportFile(path, 30_000);
  const begun = (): Promise<boolean> => exists(`${path}.millrace-import`);
  expect((await importHalf([path], 2_000_000, begun)).killed).toBe(true);

  const flags = await importing([path, '--resume', '--sync', 'other']);
  expect(flags.code).toBe(2);
  expect(flags.stderr).toContain('--sync was not given when this import began');
  await utimes(path, new Date(0), new Date(0));
  const changed = await importing([path, '--resume']);
  expect(changed.code).toBe(1);
  expect(changed.stderr).toContain('The file has changed since its import began');
  expect((await importing(['-', '--resume'], '')).code).toBe(2);
}, 240_000);

test.each([
  [['missing.ndjson'], /missing\.ndjson can't be read: it does not exist/u],
  [['.'], /is not a file/u],
  [['x.ndjson', '--key', 'id'], /--sync and --collection are needed as well/u],
  [['x.ndjson', '--event', 'created'], /--event is only for events/u],
  [['x.ndjson', '--stream', 'events', '--event', 'made'], /choices are created, updated, deleted/u],
  [['x.ndjson', '--sync', ''], /--sync must have 1 to 255 characters/u],
  [['x.ndjson', '--sync', 's', '--collection', 'a:b', '--key', ''], /--key must name a field/u],
  [['x.ndjson', '--format', 'xml'], /Allowed choices are ndjson, json, csv/u],
  [['x.ndjson', '--stream', 'event'], /Allowed choices are events, records/u],
])('a mistake in the flags %j is reported, and the exit code is 2', async (args, words) => {
  const { code, stderr } = await importing(args);
  expect(stderr).toMatch(words);
  expect(code).toBe(2);
});

test('a broken element of an array is listed, and the elements after it are imported', async () => {
  const good = (id: string): string =>
    `{"sync_id":"broken","collection_id":"a:b","upstream_id":"${id}","data":1}`;
  const undecodable = Buffer.from('{"a":"\xff"}', 'latin1');
  const path = await site.file(
    'broken.json',
    Buffer.concat([
      Buffer.from(`[${good('1')},{"a":tru},\n{"a":[1},${good('2')},`),
      undecodable,
      Buffer.from(`,\n{"a":"open},\n${good('3')},{"b":1]`),
    ]),
  );
  const rejects = join(site.folder, 'broken.rejects');
  const { code, stdout, stderr } = await importing([path, '--rejects', rejects]);
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ lines: 8, accepted: 3, rejected: 5 });
  expect(stderr).toContain('Element 2 is not JSON: "{\\"a\\":tru}"\n');
  const list = await readFile(`${path}.rejected.ndjson`, 'utf8');
  const listed = list
    .trim()
    .split('\n')
    .map((one) => JSON.parse(one) as { line: number; reason: string; text: string });
  expect(listed.map((one) => [one.line, one.reason, one.text])).toEqual([
    [2, 'is not JSON', '{"a":tru}'],
    [3, 'is not JSON', '{"a":[1}'],
    [
      5,
      'is not UTF-8; --encoding names another encoding, for example --encoding latin1',
      String.raw`{"a":"\xFF"}`,
    ],
    [6, 'has a quote that is not closed in its line', '{"a":"open},'],
    [8, expect.stringMatching(/^opens a bracket that is not closed/u), '{"b":1'],
  ]);
  const ids = (await read('records', 'broken')).map((one) => one.upstream_id);
  expect(ids).toEqual(['1', '2', '3']);
  const kept = await readFile(rejects, 'latin1');
  expect(kept).toBe('{"a":tru}\n{"a":[1}\n{"a":"\xff"}\n{"a":"open},\n{"b":1\n');
});

test.each<[string, RegExp]>([
  ['{"a":"open}]', /at "\{.*open\}\]": it ends before the array does, within a quote that is not/u],
  ['{"b":1}', /it ends before the array does/u],
  ['2] [3]', /near byte \d+, after element 2, at "\[3\]": there is something after the array/u],
])(
  'an array that continues with %s is reported with the place where it ends, and the elements before it are kept',
  async (end, why) => {
    const sync = `ended-${end.length}`;
    const first = `{"sync_id":"${sync}","collection_id":"a:b","upstream_id":"1","data":1}`;
    const path = await site.file(`${sync}.json`, `[${first},${end}`);
    const { code, stderr } = await importing([path]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^The JSON array can't be read near byte \d+, after element [12], at /mu,
    );
    expect(stderr).toMatch(why);
    expect(stderr).not.toContain('    at ');
    expect(await read('records', sync)).toHaveLength(1);
  },
);
