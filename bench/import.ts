// A process that imports rows as one NDJSON request.
import { Readable } from 'node:stream';

import { request } from 'undici';

import { report, settingsOf } from './instruments/child.ts';
import { clockMs } from './instruments/clock.ts';
import { rowOf } from './instruments/rows.ts';

/** What to import. */
export interface ImportSettings {
  url: string;
  apiKey: string;
  stream: 'events' | 'records';
  rows: number;
}

const { url, apiKey, stream, rows } = settingsOf() as ImportSettings;
const LINES_A_CHUNK = 100;
const chunks: Buffer[] = [];
for (let from = 0; from < rows; from += LINES_A_CHUNK) {
  const length = Math.min(LINES_A_CHUNK, rows - from);
  const lines = Array.from({ length }, (_, index) => lineOf(from + index));
  chunks.push(Buffer.from(lines.join('')));
}
const from = clockMs();
const answer = await request(`${url}/v1/${stream}`, {
  method: 'POST',
  headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/x-ndjson' },
  body: Readable.from(chunks),
});
const text = await answer.body.text();
if (answer.statusCode !== 200) throw new Error(`the import got ${answer.statusCode}: ${text}`);
await report({ perSecond: (rows / (clockMs() - from)) * 1_000 });

function lineOf(number: number): string {
  const { syncId, collectionId, upstreamId, data } = rowOf(number);
  const event = stream === 'events' ? '"event":"updated",' : '';
  return `{"sync_id":"${syncId}","collection_id":"${collectionId}","upstream_id":"${upstreamId}",${event}"data":${data}}\n`;
}
