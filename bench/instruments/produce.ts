// A process that appends single events over the API: either on a fixed schedule that does not wait for answers
// (open loop), or as fast as its connections get answers (closed loop).
import { setTimeout as wait } from 'node:timers/promises';

import { Pool } from 'undici';

import { percentilesOf, type Percentiles } from '../../test/support/percentiles.ts';
import { report, settingsOf } from './child.ts';
import { clockMs } from './clock.ts';

/** What to append, and how fast. */
export interface ProduceSettings {
  url: string;
  apiKey: string;
  /** Appends a second; null means as fast as answers come. */
  rate: number | null;
  seconds: number;
  connections: number;
  /** Entry n goes to sync `<prefix>-<n mod syncs>` and record `r-<n mod records>`. */
  prefix: string;
  syncs: number;
  records: number;
  dataBytes: number;
}
/** What has been appended. */
export interface Produced {
  /** How many appends were answered with 200. */
  appended: number;
  perSecond: number;
  /** When appending began and ended, by the machine's clock (`clockMs`). */
  from: number;
  to: number;
  /** The time from request to answer, ms. */
  answer: Percentiles;
  /** The CPU time of this process. */
  cpuSeconds: number;
  /** How late the generator itself was compared with its schedule, ms. */
  late: Percentiles;
}

const settings = settingsOf() as ProduceSettings;
const { connections, rate, seconds } = settings;
const pool = new Pool(settings.url, { connections, pipelining: 1, allowH2: false });
const headers = {
  authorization: `Bearer ${settings.apiKey}`,
  'content-type': 'application/json',
};
const pad = 'x'.repeat(Math.max(0, settings.dataBytes - 40));
const answers: number[] = [];
const lates: number[] = [];

const cpu = process.cpuUsage();
const from = clockMs();
await (rate === null ? closedLoop() : openLoop(rate));
const to = clockMs();
const { user, system } = process.cpuUsage(cpu);
await report({
  appended: answers.length,
  perSecond: (answers.length / (to - from)) * 1_000,
  from,
  to,
  cpuSeconds: (user + system) / 1_000_000,
  answer: percentilesOf(answers),
  late: percentilesOf(lates),
} satisfies Produced);
await pool.close();

async function closedLoop(): Promise<void> {
  const until = from + seconds * 1_000;
  let next = 0;
  const loop = async (): Promise<void> => {
    while (clockMs() < until) await append((next += 1));
  };
  await Promise.all(Array.from({ length: connections }, loop));
}

async function openLoop(perSecond: number): Promise<void> {
  const open: Promise<void>[] = [];
  const count = perSecond * seconds;
  for (let number = 0; number < count; number += 1) {
    const due = from + (number / perSecond) * 1_000;
    // Timers have whole milliseconds; a busy loop for the rest would take a core from what is measured.
    if (due > clockMs()) await wait(Math.max(1, Math.floor(due - clockMs())));
    lates.push(clockMs() - due);
    open.push(append(number));
  }
  await Promise.all(open);
}

async function append(number: number): Promise<void> {
  const sync = `${settings.prefix}-${number % settings.syncs}`;
  const record = `r-${number % settings.records}`;
  const sentAt = clockMs();
  const data = `{"sent_at":${sentAt.toFixed(3)},"pad":"${pad}"}`;
  const answer = await pool.request({
    method: 'POST',
    path: '/v1/events',
    headers,
    body: `{"events":[{"sync_id":"${sync}","collection_id":"bench:item","upstream_id":"${record}","event":"updated","data":${data}}]}`,
  });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) {
    throw new Error(`POST /v1/events answered ${answer.statusCode}: ${text.slice(0, 300)}`);
  }
  answers.push(clockMs() - sentAt);
}
