import { setTimeout as wait } from 'node:timers/promises';

import type { Consumer, ConsumerInput } from '../schema/consumer.ts';
import type { Source, SourceInput } from '../schema/source.ts';
import type { Target, TargetInput } from '../schema/target.ts';
import type { DemoChange } from './demoPlan.ts';

/** Calls the HTTP API the way a user's program would. */
export interface DemoApi {
  /** Appends changes in a JSON request, which is limited in size. */
  append(changes: DemoChange[]): Promise<void>;
  /** Appends any number of changes in one NDJSON request. */
  appendLines(changes: DemoChange[]): Promise<void>;
  createTarget(input: Partial<TargetInput>): Promise<Target>;
  createSource(input: Partial<SourceInput>): Promise<Source>;
  createConsumer(input: Partial<ConsumerInput>): Promise<string>;
  /** Resolves with the filter's version once the collection is in it (`present`), or no longer is. */
  filterHas(consumerId: string, collection: string, present: boolean): Promise<number>;
  /** Resolves once nothing waits to be sent. */
  caughtUp(consumerId: string): Promise<void>;
}

const POLL_MS = 10;
const PATIENCE_MS = 30_000;

/** Waits up to 30 s for each condition, then rejects. */
export function createDemoApi(options: {
  url: string;
  apiKey: string;
  signal: AbortSignal;
}): DemoApi {
  async function request(
    method: string,
    path: string,
    body?: string,
    type = 'application/json',
  ): Promise<unknown> {
    const response = await fetch(`${options.url}${path}`, {
      method,
      signal: options.signal,
      headers: { authorization: `Bearer ${options.apiKey}`, 'content-type': type },
      ...(body !== undefined && { body }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return JSON.parse(text);
  }

  async function consumer(id: string): Promise<Consumer> {
    return (await request('GET', `/v1/consumers/${id}`)) as Consumer;
  }

  async function until(id: string, holds: (one: Consumer) => boolean): Promise<Consumer> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const one = await consumer(id);
      if (holds(one)) return one;
      if (performance.now() > deadline) {
        throw new Error(
          `The consumer ${one.name} did not reach the expected state: ${JSON.stringify({ status: one.status, lag: one.lag, collections: one.collections })}`,
        );
      }
      await wait(POLL_MS, undefined, { signal: options.signal });
    }
  }

  async function create(path: string, input: object): Promise<unknown> {
    return request('POST', path, JSON.stringify(input));
  }

  return {
    append: async (records) =>
      void (await request('POST', '/v1/records', JSON.stringify({ records }))),
    appendLines: async (records) => {
      const lines = records.map((record) => JSON.stringify(record)).join('\n');
      await request('POST', '/v1/records', lines, 'application/x-ndjson');
    },
    createTarget: async (input) => (await create('/v1/targets', input)) as Target,
    createSource: async (input) => (await create('/v1/sources', input)) as Source,
    createConsumer: async (input) => ((await create('/v1/consumers', input)) as Consumer).id,
    filterHas: async (id, collection, present) => {
      const one = await until(id, (now) => now.collections.includes(collection) === present);
      return one.filter_version;
    },
    caughtUp: async (id) => void (await until(id, (now) => now.lag.entries === 0)),
  };
}
