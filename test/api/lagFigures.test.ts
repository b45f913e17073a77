// how much waits for consumers is the same number wherever it is shown
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { showConsumerGauges } from '../../src/telemetry/consumerGauges.ts';
import { sampleLag } from '../../src/telemetry/lagSamples.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { parseExposition } from '../support/exposition.ts';

const THREE_DAYS = 3 * 86_400;

let opened: ConsumersApi;
beforeAll(async () => {
  opened = await openConsumersApi();
});
afterAll(() => opened[Symbol.asyncDispose]());
beforeEach(async () => {
  await sql('update consumers set deleted_at = now()');
  await sql('truncate lag_samples');
});

async function sql(text: string, values: unknown[] = []): Promise<void> {
  await opened.api.db.query({ text, values });
}

/** A consumer behind everything that is there, which its sender has left in this status. */
async function consumer(name: string, syncs: string[], status: string): Promise<string> {
  const { id } = await opened.create({ name, syncs, start: 'beginning' });
  await opened.setCursor(id, 'idle = false');
  await sql(
    `update consumers set status = $2, updated_at = now() - interval '1 hour' where id = $1`,
    [id, status],
  );
  return id;
}

interface Lag {
  entries: number;
  seconds: number;
  exact: boolean;
}

/** The same, read some seconds later at most. */
function about(lag: Lag): Lag {
  return lag.entries === 0 ? lag : { ...lag, seconds: expect.closeTo(lag.seconds, -2) };
}

/** What waits for a consumer, as its page and the list have it: they agree. */
async function lagOf(id: string): Promise<Lag> {
  const { lag } = await opened.read(id);
  const { body } = await opened.api.request('GET', '/v1/consumers?limit=1000');
  const listed = body.data.find((one: { id: string }) => one.id === id).lag;
  expect(listed).toEqual(about(lag));
  return lag;
}

/** What waits for all, as the strip of the Overview has it. */
async function lagOfAll(): Promise<Lag> {
  const { status, body } = await opened.api.request('GET', '/v1/status');
  expect({ status, logged: opened.api.logged }).toEqual({ status: 200, logged: [] });
  return body.figures.lag;
}

/** What Prometheus sees of a consumer, or of all. */
async function scraped(id?: string): Promise<Omit<Lag, 'exact'>> {
  const metrics = createMetrics();
  const log = {
    warn: (error: unknown): void => {
      throw new Error('The consumers could not be counted', { cause: error });
    },
  };
  showConsumerGauges({ metrics, sql: opened.api.db, limit: 100, keepMs: 60_000, log });
  const families = parseExposition(await metrics.text());
  const valueOf = (what: 'entries' | 'seconds'): number => {
    const name = id === undefined ? `millrace_all_lag_${what}` : `millrace_consumer_lag_${what}`;
    const found = families.get(name)?.samples.find(({ labels }) => labels['consumer'] === id);
    if (found === undefined) throw new Error(`There is no ${name} of ${id ?? 'all'}`);
    return found.value;
  };
  return { entries: valueOf('entries'), seconds: valueOf('seconds') };
}

/** What waits for the only consumer; everything that says it agrees. */
async function everywhere(id: string): Promise<Lag> {
  const lag = await lagOf(id);
  expect(await lagOfAll()).toEqual(about(lag));
  for (const seen of [await scraped(id), await scraped()]) {
    expect({ ...seen, exact: lag.exact }).toEqual(about(lag));
  }
  return lag;
}

test.each(['stopped', 'blocked', 'paused', 'active'])(
  'nothing waits for a %s consumer whose filter lets nothing through, however far behind it is',
  async (status) => {
    await opened.append('others', 5);
    await sql(`update events set event_inserted_at = now() - interval '${THREE_DAYS} s'`);
    const id = await consumer('narrow', ['of nobody'], status);
    const nothing = { entries: 0, seconds: 0, exact: true };
    expect(await everywhere(id)).toEqual(nothing);
    await sampleLag(opened.api.db);
    expect(await everywhere(id)).toEqual(nothing);
  },
);

test('what waits is counted by the filter, with the age of the first entry that it lets through', async () => {
  await opened.append('others', 5);
  await sql(`update events set event_inserted_at = now() - interval '${THREE_DAYS} s'`);
  await opened.append('mine', 2);
  await sql(
    `update events set event_inserted_at = now() - interval '100 s' where sync_id = 'mine'`,
  );
  await opened.append('others', 3);
  const id = await consumer('mine', ['mine'], 'stopped');
  const lag = { entries: 2, seconds: expect.closeTo(100, -2), exact: true };
  expect(await everywhere(id)).toEqual(lag);
  await sampleLag(opened.api.db);
  expect(await everywhere(id)).toEqual(lag);
  const { body } = await opened.api.request('GET', '/v1/overview?range=1h');
  expect(body.top.laggiest).toEqual([{ consumer_id: id, name: 'mine', entries: 2, exact: true }]);
});

test('a sample that is no longer true is not believed', async () => {
  await opened.append('others', 1);
  const id = await consumer('others', ['others'], 'active');
  await sampleLag(opened.api.db);
  expect((await lagOfAll()).entries).toBeGreaterThan(0);
  // It has been sent everything since.
  const end = await opened.append('others');
  await opened.setCursor(id, `position = ${end}`);
  expect(await everywhere(id)).toEqual({ entries: 0, seconds: 0, exact: true });
  // It was moved back since.
  await sql('truncate lag_samples');
  await sampleLag(opened.api.db);
  await opened.setCursor(id, 'position = position - 1');
  await sql('update consumers set updated_at = now() where id = $1', [id]);
  expect(await everywhere(id)).toMatchObject({ entries: 1, exact: true });
});

test('a consumer that lags shows in the sum of all beside those for which nothing waits', async () => {
  await opened.append('others', 4);
  await consumer('narrow', ['of nobody'], 'stopped');
  const wide = await consumer('wide', ['others'], 'paused');
  await sampleLag(opened.api.db);
  const { entries, exact } = await lagOf(wide);
  expect(await lagOfAll()).toMatchObject({ entries, exact });
  expect((await scraped()).entries).toBe(entries);
});

test('where not all entries were read, every number says that it is an upper bound', async () => {
  const id = await consumer('far behind', ['of nobody'], 'stopped');
  for (let part = 0; part < 3; part += 1) await opened.append('others', 4_000);
  const lag = await everywhere(id);
  expect(lag).toMatchObject({ exact: false });
  expect(lag.entries).toBeGreaterThan(0);
  await sampleLag(opened.api.db);
  expect(await everywhere(id)).toMatchObject({ entries: lag.entries, exact: false });
  const { body } = await opened.api.request('GET', '/v1/overview?range=1h');
  expect(body.top.laggiest).toMatchObject([{ consumer_id: id, exact: false }]);
});
