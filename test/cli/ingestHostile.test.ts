// a tap that does what taps have been seen to do, and some more
import { spawn } from 'node:child_process';
import { once } from 'node:events';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { startCli } from '../support/cli.ts';
import { peakMb } from '../support/importFile.ts';
import { openImportSite, type ImportSite } from '../support/importSite.ts';

let site: ImportSite;
let tap: string;
beforeAll(async () => {
  site = await openImportSite();
  tap = await site.file('tap.mjs', TAP);
});
afterAll(() => site[Symbol.asyncDispose]());

const TAP = `
import { writeSync } from 'node:fs';
const write = (text) => {
  for (let rest = Buffer.from(text); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if (error.code === 'EPIPE') process.exit(9);
      if (error.code !== 'EAGAIN') throw error;
    }
  }
};
const say = (message) => write(JSON.stringify(message) + '\\n');
const schema = (stream) => say({ type: 'SCHEMA', stream, key_properties: ['id'], schema: {} });
const record = (id, more) => say({ type: 'RECORD', stream: 'a', record: { id, ...more }, version: 7 });
const ways = {
  'state first': () => {
    say({ type: 'STATE', value: { at: 0 } });
    schema('a');
    record(1);
  },
  'unknown types': () => {
    for (let one = 0; one < 3; one++) say({ type: 'COFFEE', cups: one });
    say({ type: 'TEA' });
    schema('a');
    record(1);
  },
  'no newline': () => {
    schema('a');
    write('{"type":"RECORD","stream":"a","record":{"id":1}}');
  },
  'half a line': () => {
    schema('a');
    record(1);
    write('{"type":"RECORD","stream":"a","reco');
  },
  'NaN': () => {
    schema('a');
    write('{"type": "RECORD", "stream": "a", "record": {"id": 1, "x": NaN, "y": [-Infinity, "NaN"]}}\\n');
  },
  'long line': () => {
    schema('a');
    record(1);
    say({ type: 'STATE', value: { at: 1 } });
    write('{"type":"RECORD","stream":"a","record":{"id":2,"x":"');
    const part = 'x'.repeat(1024 * 1024);
    for (let mb = 0; mb < 100; mb++) write(part);
    write('"}}\\n');
    record(3);
  },
  'batch': () => {
    schema('a');
    record(1);
    say({ type: 'BATCH', stream: 'a', encoding: { format: 'jsonl' }, manifest: ['file:///etc/passwd'] });
  },
  'state after each record': () => {
    schema('a');
    for (let id = 0; id < 3_000; id++) {
      record(id);
      say({ type: 'STATE', value: { at: id, more: 'x'.repeat(2_000) } });
    }
  },
  'words': () => {
    schema('a');
    record(1);
    write('Traceback (most recent call last):\\n');
  },
  'bytes': () => {
    schema('a');
    record(1);
    writeSync(1, Buffer.from([0x7b, 0xff, 0xfe, 0x7d, 0x0a]));
  },
};
ways[process.argv[2]]();
`;

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  peak: number;
}

/** Runs the tap in one of its ways, and what it prints through `millrace ingest`. */
async function run(way: string): Promise<Ended> {
  const from = spawn(process.execPath, [tap, way], { stdio: ['ignore', 'pipe', 'inherit'] });
  const args = ['--format', 'singer', '--sync', way, '--provider', 'hostile'];
  const cli = startCli(['ingest', ...args], site.cluster.api, { input: null });
  const gone = once(from, 'close');
  from.stdout.pipe(cli.child.stdin!);
  let peak = 0;
  const watch = setInterval(
    () => void peakMb(cli.child.pid).then((mb) => (peak = Math.max(peak, mb))),
    20,
  );
  const ended = await cli.ended;
  clearInterval(watch);
  from.stdout.destroy(); // it may still be writing
  await gone;
  return { ...ended, peak };
}

async function stored(sync: string): Promise<{ upstream_id: string; data: unknown }[]> {
  const path = `/v1/records?sync_id=${encodeURIComponent(sync)}&limit=1000`;
  return (await site.cluster.request<{ records: never[] }>('GET', path)).records;
}

const idsOf = (records: { upstream_id: string }[]): string[] =>
  records.map((one) => one.upstream_id);

test.each<[string, { code: number; words: RegExp; stdout?: string }]>([
  [
    'state first',
    { code: 0, words: /Stored 1 record of/u, stdout: '{"type":"STATE","value":{"at":0}}\n' },
  ],
  ['unknown types', { code: 0, words: /^Ignored: COFFEE [^\n]*\nIgnored: TEA [^\n]*\nStored/mu }],
  ['no newline', { code: 0, words: /Stored 1 record of/u }],
  ['half a line', { code: 1, words: /^Line 3: it is not a JSON object, and the input ended/mu }],
  ['NaN', { code: 0, words: /^Line 2, stream a: NaN or Infinity became null/mu }],
  [
    'batch',
    { code: 1, words: /^Line 3: the BATCH of stream a names files.*\nRemove batch_config/mu },
  ],
  ['words', { code: 1, words: /^Line 3: it is not a JSON object$/mu }],
  ['bytes', { code: 1, words: /^Line 3: it is not UTF-8$/mu }],
])(
  '%s: it has its answer, none is a stack trace, and the record before it is stored',
  async (way, { code, words, stdout = '' }) => {
    const ended = await run(way);
    expect({ code: ended.code, stdout: ended.stdout }, ended.stderr).toEqual({ code, stdout });
    expect(ended.stderr).toMatch(words);
    expect(ended.stderr).not.toMatch(/^\s+at /mu);
    expect(idsOf(await stored(way))).toEqual(['1']);
  },
);

test('NaN is stored as null, and a string that says it stays', async () => {
  await run('NaN');
  expect(await stored('NaN')).toMatchObject([{ data: { id: 1, x: null, y: [null, 'NaN'] } }]);
});

test('a line of 100 MB is refused with its number and the limit, in memory that does not hold it', async () => {
  const { code, stdout, stderr, peak } = await run('long line');
  expect({ code, stdout }).toEqual({ code: 1, stdout: '{"type":"STATE","value":{"at":1}}\n' });
  expect(stderr).toMatch(/^Line 4: it is longer than 16777216 bytes$/mu);
  expect(idsOf(await stored('long line'))).toEqual(['1']);
  expect(peak).toBeGreaterThan(20);
  expect(peak).toBeLessThan(200);
});

test('a STATE after each record is printed after each record', async () => {
  const { code, stdout, peak } = await run('state after each record');
  expect(code).toBe(0);
  const values = stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { value: { at: number } }).value.at);
  expect(values).toEqual(Array.from({ length: 3_000 }, (_, id) => id));
  expect(peak).toBeLessThan(250);
});
