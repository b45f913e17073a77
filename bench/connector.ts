import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import type { ImportSettings } from './import.ts';
import { runChild } from './instruments/child.ts';
import type { Figure } from './instruments/figures.ts';
import type { Installation } from './instruments/installation.ts';
import { rowOf } from './instruments/rows.ts';

const BIN = new URL('../bin/millrace.cjs', import.meta.url).pathname;
const GOAL = 15_000;
const LINES_A_CHUNK = 100;
/** A STATE line comes after so many records. */
const RECORDS_A_STATE = 1_000;

/**
 * Measures `millrace ingest`, which reads a Singer tap on stdin: new records, the same once more as a full pass, and a
 * full pass of which every record has changed. For comparison the same records in one NDJSON request.
 */
export async function connector(installation: Installation, rows: number): Promise<Figure[]> {
  const { url, apiKey } = installation;
  const settings: ImportSettings = { url, apiKey, stream: 'records', rows };
  const plain = await runChild<{ perSecond: number }>(
    new URL('./import.ts', import.meta.url),
    settings,
  );
  const unit = 'records/s';
  const goal = { least: GOAL };
  const fresh = await tap(installation, { rows, version: 1, fullPass: false });
  const equal = await tap(installation, { rows, version: 1, fullPass: true });
  const changed = await tap(installation, { rows, version: 2, fullPass: true });
  return [
    { name: 'one NDJSON request, all new', value: plain.perSecond, unit },
    { name: 'Singer, all new', value: fresh, unit, goal },
    { name: 'Singer to NDJSON', value: fresh / plain.perSecond, unit: '' },
    { name: 'Singer, full pass, all equal', value: equal, unit, goal },
    { name: 'Singer, full pass, all changed', value: changed, unit, goal },
  ];
}

interface Tapped {
  rows: number;
  /** A part of each record's data. */
  version: number;
  fullPass: boolean;
}

/** The records a second from the start of the command to its end. */
async function tap({ url, apiKey }: Installation, tapped: Tapped): Promise<number> {
  const chunks = messages(tapped);
  const flags = ['ingest', '--format', 'singer', '--sync', 'tapped', '--provider', 'bench'];
  const from = performance.now();
  const child = spawn(
    process.execPath,
    [BIN, ...flags, ...(tapped.fullPass ? ['--full-pass'] : [])],
    {
      env: { ...process.env, MILLRACE_URL: url, MILLRACE_API_KEY: apiKey },
      stdio: ['pipe', 'ignore', 'inherit'],
    },
  );
  const ended = once(child, 'close');
  await pipeline(Readable.from(chunks), child.stdin);
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`millrace ingest ended with ${code}`);
  return (tapped.rows / (performance.now() - from)) * 1_000;
}

function messages({ rows, version }: Tapped): Buffer[] {
  const schema = {
    type: 'SCHEMA',
    stream: 'item',
    key_properties: ['id'],
    schema: { properties: {} },
  };
  const chunks = [Buffer.from(`${JSON.stringify(schema)}\n`)];
  let lines = '';
  for (let number = 0; number < rows; number += 1) {
    const { upstreamId, data } = rowOf(number);
    lines += `{"type":"RECORD","stream":"item","record":{"id":"${upstreamId}","version":${version},${data.slice(1)}}\n`;
    const done = number + 1;
    if (done % RECORDS_A_STATE === 0) lines += `{"type":"STATE","value":{"at":${done}}}\n`;
    if (done % LINES_A_CHUNK === 0 || done === rows) {
      chunks.push(Buffer.from(lines));
      lines = '';
    }
  }
  return chunks;
}
