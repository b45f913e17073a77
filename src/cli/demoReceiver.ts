import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { Webhook } from 'standardwebhooks';

import type { StreamName } from '../schema/stream.ts';
import { readDemoData } from './demoData.ts';
import { createExpectation, type Counts } from './demoExpectation.ts';
import { planDemo } from './demoPlan.ts';

/** The messages from the demo to its receiver. */
export type ToReceiver =
  | { kind: 'trust'; secret: string }
  /** The demo has begun this step. After the last one, everything that comes is the user's own. */
  | { kind: 'step'; step: number }
  | { kind: 'report' };

/** The messages from the receiver to the demo. */
export type FromReceiver =
  | { kind: 'listening'; url: string; steps: number }
  | { kind: 'trusting' }
  | { kind: 'received'; arrival: Arrival }
  | { kind: 'progress'; progress: Progress }
  | { kind: 'report'; report: Report };

/** One webhook, for a line on the screen. */
export interface Arrival {
  stream: StreamName;
  what: string;
  collection: string;
  record: string;
  /** Time from its append to its receipt, ms; null for a backlog. */
  afterMs: number | null;
  /** What is wrong with it; null when it matches the data file. */
  problem: string | null;
}

/** How far the current step is. */
export interface Progress {
  step: number;
  delivered: number;
  /** Webhooks of the steps so far that are still missing. */
  remaining: number;
  total: number;
  /** Entries of this step that must not come. */
  filtered: number;
}

/** Everything that the receiver has found. */
export interface Report {
  counts: Counts;
  superseded: number;
  /** The first 10 problems. */
  problems: string[];
  /** From append to receipt in live steps, ms. */
  latency: { p50: number; p99: number };
}

const PROGRESS_MS = 100;
/** Webhooks of each stream that are shown per step. */
const LINES_A_STEP = 5;
const PROBLEMS_KEPT = 10;

await main();

/**
 * Runs an endpoint as a customer would have it. It checks each signature, and each body against the
 * data file. It ends with the demo.
 */
async function main(): Promise<void> {
  const steps = planDemo(await readDemoData());
  const expectation = createExpectation(steps);
  const problems: string[] = [];
  const latencies: number[] = [];
  let webhook: Webhook | null = null;
  let step = 0;
  let lines = { records: 0, events: 0 };

  const server = createServer((request, response) => {
    receive(request, response).catch(() => response.destroy()); // the sender was cut off
  });

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = Date.now();
    const stream: StreamName = request.url?.startsWith('/records') === true ? 'records' : 'events';
    const text = await readBody(request);
    let body: unknown;
    try {
      if (webhook === null) throw new Error('there is no secret yet');
      body = webhook.verify(text, request.headers as Record<string, string>);
    } catch (error) {
      expectation.refuse();
      note(`a webhook was refused: ${(error as Error).message}`);
      response.writeHead(401).end();
      return;
    }
    response.writeHead(204).end();
    judge(stream, body, at);
  }

  function judge(stream: StreamName, body: unknown, at: number): void {
    const isOver = step >= steps.length;
    const problem = isOver ? null : expectation.check(stream, body);
    const afterMs = at - appendedAt(body);
    const isLive = isOver || steps[step]?.live === true;
    const arrival = describe(stream, body, isLive ? afterMs : null, problem);
    if (problem !== null) note(`${arrival.what} ${arrival.record} on ${stream} ${problem}`);
    if (isLive && !isOver) latencies.push(afterMs);
    if (!isOver && problem === null && lines[stream] >= LINES_A_STEP) return;
    lines[stream] += 1;
    tell({ kind: 'received', arrival });
  }

  function note(problem: string): void {
    if (problems.length < PROBLEMS_KEPT) problems.push(problem);
  }

  function progress(): Progress {
    const remaining = expectation.remaining(step);
    const { delivered } = expectation.counts();
    const [total, filtered] = [expectation.total(step), expectation.filtered(step)];
    return { step, delivered, remaining, total, filtered };
  }

  process.on('message', (message: ToReceiver) => {
    if (message.kind === 'trust') {
      webhook = new Webhook(message.secret);
      tell({ kind: 'trusting' });
    } else if (message.kind === 'step') {
      step = message.step;
      lines = { records: 0, events: 0 };
    } else {
      const report = {
        counts: expectation.counts(),
        superseded: expectation.superseded(),
        problems,
        latency: { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) },
      };
      tell({ kind: 'report', report });
    }
  });
  process.once('disconnect', () => process.exit());
  setInterval(() => {
    if (step < steps.length) tell({ kind: 'progress', progress: progress() });
  }, PROGRESS_MS);

  const listening = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;
  const { port } = server.address() as AddressInfo;
  tell({ kind: 'listening', url: `http://127.0.0.1:${port}`, steps: steps.length });
}

function tell(message: FromReceiver): void {
  process.send?.(message);
}

interface Wrapped {
  event?: Fields & { event: string; event_inserted_at: string };
  record?: Fields & { deleted: boolean; updated_at: string };
}
interface Fields {
  collection_id: string;
  upstream_id: string;
  data: Record<string, string | number | undefined> | null;
}

function describe(
  stream: StreamName,
  body: unknown,
  afterMs: number | null,
  problem: string | null,
): Arrival {
  const { event, record } = body as Wrapped;
  const fields = event ?? record;
  const data = fields?.data;
  const shown = data?.['name'] ?? (data?.['price'] === undefined ? '' : pricedAt(data));
  return {
    stream,
    what: event?.event ?? (record?.deleted === true ? 'deleted: true' : 'version'),
    collection: fields?.collection_id ?? '',
    record: `${fields?.upstream_id} ${shown}`.trim(),
    afterMs,
    problem,
  };
}

/** When the entry was appended, by the server's clock, unix ms. */
function appendedAt(body: unknown): number {
  const { event, record } = body as Wrapped;
  return Date.parse(event?.event_inserted_at ?? record?.updated_at ?? '');
}

function pricedAt(data: NonNullable<Fields['data']>): string {
  return `${data['price']} on ${data['date']}`;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function quantile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
