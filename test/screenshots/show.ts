import { createServer } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';

import { Client } from 'pg';

import { createClient } from '../../src/api/client.ts';
import { readDemoData } from '../../src/cli/demoData.ts';
import { AIRPORTS, planDemo, STOCKS, type DemoChange } from '../../src/cli/demoPlan.ts';
import type { Stack } from '../../src/embedded/stack.ts';
import type { Consumer, ConsumerInput } from '../../src/schema/consumer.ts';
import { listening } from '../support/listening.ts';
import { until } from '../support/poll.ts';

/** What the pictures need to know of what was made. */
export interface Shown {
  live: string;
  blocked: string;
  /** Its head's last one: the next is planned. */
  attempt: string;
  strict: string;
  target: string;
}

type Api = ReturnType<typeof createClient>;
const PATIENCE_MS = 120_000;
/** Between two months of prices: enough commits for a chart. */
const LIVE_EVERY_MS = 40;
const PROOFS = 40;
const PROOF_EVERY_MS = 250;
/** Over which the charts show them. */
const PAST = '55 minutes';

/** An endpoint that is as quick, strict or away as its path says. */
export async function openShowEndpoint(): Promise<{ url: string } & AsyncDisposable> {
  let count = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('utf8');
      const [status, text] = judge(request.url ?? '', body);
      count += 1;
      const ms = 3 + (count % 7) * 2 + (count % 50 === 0 ? 90 : 0);
      setTimeout(() => response.writeHead(status, { 'content-type': 'text/plain' }).end(text), ms);
    });
  });
  return listening(server);
}

function judge(path: string, body: string): [status: number, text: string] {
  if (path.startsWith('/closed')) return [503, 'The shop is closed'];
  if (path.startsWith('/crm')) return [503, 'Maintenance until tonight'];
  if (path.startsWith('/strict') && body.includes('"event":"created"')) {
    if (body.includes('"state":"NA"')) return [422, 'state: NA is no state of the USA'];
    if (body.includes('"state":"GU"')) return [400, 'state: unknown code GU'];
  }
  return [200, 'ok'];
}

/** With a short window: a backlog, dead letters, a consumer that is stopped, alerts. */
export async function playPast(stack: Stack, endpoint: string): Promise<void> {
  const api = createClient({ url: stack.url, apiKey: stack.apiKey });
  const [backlog] = planDemo(await readDemoData());
  await append(api, backlog?.appends.flat() ?? []);
  await api.request('PUT', '/v1/syncs/vega-datasets', { body: { name: 'Open data' } });
  const board = await target(api, 'Flight board', `${endpoint}/board`);
  const importer = await target(api, 'Strict importer', `${endpoint}/strict`);
  const shop = await target(api, 'Closed shop', `${endpoint}/closed`);
  const make = (input: Partial<ConsumerInput>): Promise<Consumer> =>
    api.consumers.create({ stream: 'events', start: 'beginning', ...input });
  await make({ name: 'Every change, in order', target_id: board });
  await make({ name: 'Latest version of each record', target_id: board, stream: 'records' });
  const strict = await make({
    name: 'Airports to the importer',
    target_id: importer,
    collections: [AIRPORTS],
  });
  const closed = await make({ name: 'Airports to the closed shop', target_id: shop });
  const night = await make({ name: 'Nightly copy', target_id: board, path: '/night' });
  await api.request('POST', `/v1/consumers/${night.id}/pause`);
  // Others are taken after those that the importer refuses: so it is they that are at fault.
  for (const airport of (backlog?.appends.flat() ?? []).slice(0, PROOFS)) {
    await append(api, [{ ...airport, data: { ...airport.data, checked: 1 } }]);
    await wait(PROOF_EVERY_MS);
  }
  await until(
    async () => {
      const { parked } = await api.consumers.get(strict.id);
      const { data } = await api.deadLetters.groups(strict.id);
      return (
        parked === 0 && data.length > 0 && (await api.consumers.get(closed.id)).status === 'stopped'
      );
    },
    { timeoutMs: PATIENCE_MS, what: 'airports die, and a consumer is stopped' },
  );
}

/** With the usual window: prices come live, and an endpoint is away. */
export async function playPresent(stack: Stack, endpoint: string): Promise<Shown> {
  const api = createClient({ url: stack.url, apiKey: stack.apiKey });
  const crm = await target(api, 'CRM in Frankfurt', `${endpoint}/crm`);
  const ticker = await target(api, 'Price ticker', `${endpoint}/ticker`);
  const steps = planDemo(await readDemoData()).slice(1);
  const live = await api.consumers.create({
    name: 'Prices to the ticker',
    target_id: ticker,
    stream: 'events',
    collections: [STOCKS, AIRPORTS],
    start: 'end',
  });
  const blocked = await api.consumers.create({
    name: 'Prices to the CRM',
    target_id: crm,
    stream: 'events',
    collections: [STOCKS],
    start: 'end',
  });
  for (const changes of steps.flatMap(({ appends }) => appends)) {
    await append(api, changes);
    await wait(LIVE_EVERY_MS);
  }
  await until(
    async () =>
      (await api.consumers.get(live.id)).lag.entries === 0 &&
      (await api.consumers.get(blocked.id)).status === 'blocked',
    { timeoutMs: PATIENCE_MS, what: 'the prices are out, and the CRM blocks' },
  );
  await stretch(stack.databaseUrl);
  const { data } = await api.consumers.list({ q: 'importer' });
  const { data: failed } = await api.consumers.attempts(blocked.id, { outcome: 'failed' });
  const attempt = failed.find((one) => one.next_attempt_at !== null)?.id ?? '';
  return { live: live.id, blocked: blocked.id, attempt, strict: data[0]?.id ?? '', target: ticker };
}

/** As if what was sent in seconds had been sent in the last hour: charts have a point a minute. */
async function stretch(databaseUrl: string): Promise<void> {
  const sql = new Client({ connectionString: databaseUrl });
  await sql.connect();
  try {
    await sql.query(
      `update attempt_batches b
          set committed_at = b.committed_at - back,
              started_at = array(select at - (extract(epoch from back) * 1000)::bigint
                                   from unnest(b.started_at) with ordinality as t (at, n) order by n),
              oldest = b.oldest - (extract(epoch from back) * 1000)::bigint
         from (select ctid as place, tableoid as part,
                      interval '${PAST}' * (1 - percent_rank() over (partition by consumer_id order by committed_at))
                        as back
                 from attempt_batches) as times
        where b.ctid = place and b.tableoid = part`,
    );
  } finally {
    await sql.end();
  }
}

async function target(api: Api, name: string, base_url: string): Promise<string> {
  const { id } = await api.targets.create({ name, base_url });
  return id;
}

async function append(api: Api, records: DemoChange[]): Promise<void> {
  for (let from = 0; from < records.length; from += 1_000) {
    await api.request('POST', '/v1/records', {
      body: { records: records.slice(from, from + 1_000) },
    });
  }
}
