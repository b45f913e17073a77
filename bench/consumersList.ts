import { performance } from 'node:perf_hooks';

import { Agent, request } from 'undici';

import type { Consumer } from '../src/schema/consumer.ts';
import { percentilesOf } from '../test/support/percentiles.ts';
import { insertConsumers } from './instruments/crowd.ts';
import type { Figure } from './instruments/figures.ts';
import type { Installation } from './instruments/installation.ts';

const REQUESTS = 400;
const WARM_UP = 40;
const CONNECTIONS = 4;
const GOAL_MS = 50;

/** Measures `GET /v1/consumers` with 10,000 consumers, one request at a time and four at a time. */
export async function consumersList(installation: Installation): Promise<Figure[]> {
  const { id } = await installation.consumer({ name: 'first' });
  // The reconciler would start 10,000 workflows meanwhile, but only the list is to be measured.
  const { worker } = installation.pids();
  if (worker != null) process.kill(worker, 'SIGSTOP');
  try {
    return await lists(installation, id);
  } finally {
    if (worker != null) process.kill(worker, 'SIGCONT');
  }
}

async function lists(installation: Installation, id: string): Promise<Figure[]> {
  await insertConsumers(installation.sql, id);
  const { data } = await installation.api<{ data: Consumer[] }>('GET', '/v1/consumers');
  if (data.length !== 100) throw new Error(`a page holds ${data.length} consumers, not 100`);
  const middle = await middleOf(installation);
  const lists: [what: string, path: string][] = [
    ['first page', '/v1/consumers'],
    ['page in the middle', `/v1/consumers?cursor=${middle}`],
    ['active ones', '/v1/consumers?status=active'],
    ['by a text of many', '/v1/consumers?q=bench'],
    ['by a text of one', '/v1/consumers?q=consumer-5000'],
  ];
  const figures: Figure[] = [];
  for (const [what, path] of lists) {
    for (const connections of [1, CONNECTIONS]) {
      const { p50, p99 } = percentilesOf(await measure(installation, path, connections));
      const how = `${what}, ${connections} at a time`;
      figures.push({ name: `${how}, p50`, value: p50, unit: 'ms' });
      figures.push({ name: `${how}, p99`, value: p99, unit: 'ms', goal: { most: GOAL_MS } });
    }
  }
  return figures;
}

async function middleOf(installation: Installation): Promise<string> {
  let cursor = '';
  for (let page = 0; page < 5; page += 1) {
    const path = `/v1/consumers?limit=1000${cursor === '' ? '' : `&cursor=${cursor}`}`;
    const answer = await installation.api<{ next_cursor: string }>('GET', path);
    cursor = answer.next_cursor;
  }
  return cursor;
}

async function measure(
  installation: Installation,
  path: string,
  connections: number,
): Promise<number[]> {
  const agent = new Agent({ connections, pipelining: 1, allowH2: false });
  const headers = { authorization: `Bearer ${installation.apiKey}` };
  const times: number[] = [];
  let left = REQUESTS + WARM_UP;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      const from = performance.now();
      const { statusCode, body } = await request(`${installation.url}${path}`, {
        dispatcher: agent,
        headers,
      });
      await body.text();
      if (statusCode !== 200) throw new Error(`GET ${path} answered ${statusCode}`);
      times.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: connections }, worker));
  await agent.close();
  return times.slice(WARM_UP);
}
