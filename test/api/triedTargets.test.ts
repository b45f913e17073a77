import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';

let opened: ConsumersApi;
beforeAll(async () => {
  opened = await openConsumersApi();
});
afterAll(() => opened[Symbol.asyncDispose]());
beforeEach(() => sql('truncate attempts, attempt_batches, attempt_minutes, target_minutes'));

async function sql(text: string, values: unknown[] = []): Promise<void> {
  await opened.api.db.query({ text, values });
}

/** A target with one consumer. */
async function used(): Promise<{ target: string; consumer: string }> {
  const input = { name: 'Endpoint', base_url: 'https://example.com' };
  const target: string = (await opened.api.request('POST', '/v1/targets', input)).body.id;
  const { id: consumer } = await opened.create({ target_id: target });
  return { target, consumer };
}

async function delivered(consumer: string): Promise<void> {
  await sql(
    `insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status, entries, low, high, oldest)
     values ($1, clock_timestamp(), '{1}', '{0}', '{12}', '{200}', 1, 1, 1, 0)`,
    [consumer],
  );
}

async function failed(consumer: string): Promise<void> {
  await sql(
    `insert into attempts (id, consumer_id, position, message_id, attempt, started_at, duration_ms, outcome, status, error_code)
     values ($1, $2, 1, 'm', 1, clock_timestamp(), 30, 'failed', 503, 'HTTP_5XX')`,
    [newId(), consumer],
  );
}

/** What the target's own answer and the list say, which is the same. */
async function isTried(target: string): Promise<boolean> {
  const { body } = await opened.api.request('GET', `/v1/targets/${target}`);
  const list = await opened.api.request('GET', `/v1/targets?q=${target}`);
  expect(list.body.data).toMatchObject([{ id: target, tried: body.tried }]);
  return body.tried;
}

test('a target has been tried as soon as a consumer of it has delivered or failed, and not by others', async () => {
  const [one, two, three] = [await used(), await used(), await used()];
  await delivered(one.consumer);
  await failed(two.consumer);
  expect(await isTried(one.target)).toBe(true);
  expect(await isTried(two.target)).toBe(true);
  expect(await isTried(three.target)).toBe(false);
});

test('a target remains tried when its attempts are no longer kept, and one that is older than all counts may have been', async () => {
  const { target } = await used();
  const minute = `date_bin('1 min', clock_timestamp(), timestamptz 'epoch')`;
  await sql(
    `insert into attempt_minutes values (${minute} - interval '5 min', 0, 0, '{}', '{}', 0, 0, true)`,
  );
  expect(await isTried(target)).toBe(false);
  await sql(`insert into target_minutes values ($1, ${minute}, 1, 0, '{}', '{}')`, [target]);
  expect(await isTried(target)).toBe(true);

  const older = await used();
  await sql(`update targets set created_at = now() - interval '1 hour' where id = $1`, [
    older.target,
  ]);
  expect(await isTried(older.target)).toBe(true);
});
