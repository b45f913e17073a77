// A process that measures a loop without Millrace: it signs and posts, with a number of requests in flight.
import { randomUUID } from 'node:crypto';

import { Pool } from 'undici';

import { newSigningSecret, createSigner } from '../../src/egress/signing.ts';
import { report, settingsOf } from './child.ts';
import { clockMs } from './clock.ts';

/** What the loop sends. */
export interface BareSettings {
  url: string;
  requests: number;
  inFlight: number;
  bodyBytes: number;
}
/** What the loop achieved. */
export interface BareResult {
  perSecond: number;
  /** The CPU time of this process alone, for each 1,000 requests. */
  cpuSeconds: number;
}

/** Requests before the measurement begins, which warm up the process. */
const WARM_UP = 5_000;

const { url, requests, inFlight, bodyBytes } = settingsOf() as BareSettings;
const pool = new Pool(url, { connections: inFlight, pipelining: 1, allowH2: false });
const sign = createSigner([newSigningSecret()]);
const text = JSON.stringify({ event: { data: '' } });
const body = JSON.stringify({ event: { data: 'x'.repeat(bodyBytes - text.length) } });
const id = randomUUID().slice(0, 23);

await send(WARM_UP);
const cpu = process.cpuUsage();
const from = clockMs();
await send(requests);
const seconds = (clockMs() - from) / 1_000;
const { user, system } = process.cpuUsage(cpu);
await report({
  perSecond: requests / seconds,
  cpuSeconds: (user + system) / 1_000 / requests,
} satisfies BareResult);
await pool.close();

async function send(count: number): Promise<void> {
  let left = count;
  const loop = async (): Promise<void> => {
    while (left > 0) await post((left -= 1));
  };
  await Promise.all(Array.from({ length: inFlight }, loop));
}

async function post(number: number): Promise<void> {
  const messageId = `${id}-${number}`;
  const timestamp = Math.floor(Date.now() / 1_000);
  const bytes = Buffer.from(body);
  const answer = await pool.request({
    method: 'POST',
    path: '/bare',
    headers: {
      'content-type': 'application/json',
      'webhook-id': messageId,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': sign(messageId, timestamp, bytes),
    },
    body: bytes,
  });
  await answer.body.dump();
  if (answer.statusCode !== 204) throw new Error(`the receiver answered ${answer.statusCode}`);
}
