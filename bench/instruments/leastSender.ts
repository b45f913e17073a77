// A process that does the minimum for a delivery: it reads new entries, signs and posts each immediately, and
// stores its progress. One query reads, and one stores, all that has come since the one before.
import { randomUUID } from 'node:crypto';

import { Client } from 'pg';
import { Pool } from 'undici';

import { createSigner, newSigningSecret } from '../../src/egress/signing.ts';
import { report, settingsOf } from './child.ts';
import { LEAST_CHANNEL, LEAST_CURSOR, LEAST_TABLE, type LeastSettings } from './leastTable.ts';

/** As often as a worker stores its outcomes. */
const STORE_MS = 25;
const CONNECTIONS = 64;

const { databaseUrl, endpointUrl } = settingsOf() as LeastSettings;
const sql = new Client({ connectionString: databaseUrl });
await sql.connect();
const { origin, pathname } = new URL(endpointUrl);
const endpoint = new Pool(origin, { connections: CONNECTIONS, pipelining: 1, allowH2: false });
const sign = createSigner([newSigningSecret()]);
const id = randomUUID().slice(0, 23);
let readTo = 0;
let isReading = false;
let isBehind = false;
let storing: NodeJS.Timeout | null = null;

sql.on('notification', () => void read());
await sql.query(`listen ${LEAST_CHANNEL}`);
await report({});

async function read(): Promise<void> {
  isBehind = true;
  if (isReading) return;
  isReading = true;
  while (isBehind) {
    isBehind = false;
    const { rows } = await sql.query<{ position: string; body: string }>({
      name: 'read',
      text: `select position, body from ${LEAST_TABLE} where position > $1 order by position limit 1000`,
      values: [readTo],
    });
    for (const { position, body } of rows) {
      readTo = Number(position);
      void post(readTo, body);
    }
  }
  isReading = false;
}

async function post(position: number, text: string): Promise<void> {
  const messageId = `${id}-${position}`;
  const timestamp = Math.floor(Date.now() / 1_000);
  const body = Buffer.from(text);
  const answer = await endpoint.request({
    method: 'POST',
    path: pathname,
    headers: {
      'content-type': 'application/json',
      'webhook-id': messageId,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': sign(messageId, timestamp, body),
      'millrace-position': String(position),
    },
    body,
  });
  await answer.body.dump();
  if (answer.statusCode !== 204) throw new Error(`the receiver answered ${answer.statusCode}`);
  storing ??= setTimeout(() => void store(), STORE_MS);
}

async function store(): Promise<void> {
  storing = null;
  await sql.query({
    name: 'store',
    text: `update ${LEAST_CURSOR} set position = $1`,
    values: [readTo],
  });
}
