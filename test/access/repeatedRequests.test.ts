import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { Unavailable } from '../../src/consumers/commands.ts';
import { createConsumers } from '../../src/consumers/consumers.ts';
import { openDb, type Db } from '../../src/db/db.ts';
import { newSeed } from '../../src/db/seed.ts';
import { ApiKeyInput } from '../../src/schema/apiKey.ts';
import { ConsumerInput, type Consumer } from '../../src/schema/consumer.ts';
import type { Target } from '../../src/schema/target.ts';
import { createTargets } from '../../src/targets/targets.ts';
import { openApp, openOwnApp, type OwnApp } from '../support/app.ts';
import { createDatabase, PATIENT } from '../support/database.ts';
import { until } from '../support/poll.ts';
import { openCluster } from '../support/processes.ts';
import { openReceiver, type Received } from '../support/receiver.ts';
test('after a kill -9 of the API between a change and its stored answer, the change repeated with the same Idempotency-Key exists once', async () => {
  await using database = await createDatabase();
  await using db = openDb({ url: database.url, ...PATIENT, onError: () => undefined });
  await using cluster = await openCluster(database.url);
  await using receiver = await openReceiver();
  const [server] = await Promise.all([cluster.startServer(), cluster.startWorker()]);
  const target = await cluster.request<Target>('POST', '/v1/targets', {
    name: 'before',
    base_url: receiver.url,
  });
  const consumer = { name: 'before', target_id: target.id, stream: 'events' };
  const { id } = await cluster.request<Consumer>('POST', '/v1/consumers', consumer);
  const event = { sync_id: 's', collection_id: 'a:b', upstream_id: 'u', event: 'created' };
  const events = [{ ...event, event_id: 'resent', data: 1 }];
  const { position } = await cluster.request<{ position: number }>('POST', '/v1/events', {
    events,
  });
  await until(() => receiver.received.length === 1);
  await cluster.caughtUp(id, 90_000);

  const posts: [path: string, body: object][] = [
    ['/v1/targets', { name: 'made', base_url: receiver.url }],
    ['/v1/consumers', { ...consumer, name: 'made' }],
    ['/v1/api-keys', { name: 'made', scopes: ['read'] }],
    [`/v1/targets/${target.id}/rotate-secret`, {}],
    [`/v1/consumers/${id}/resend`, { position }],
  ];
  const send = (): Promise<Record<string, string>>[] =>
    posts.map(([path, body], n) =>
      cluster.request('POST', path, body, { 'idempotency-key': `key-${n}` }),
    );
  const stopHolding = await holdAnswers(db, posts.length);
  const first = Promise.allSettled(send());
  await stopHolding(() => server.killHard());
  expect((await first).map(({ status }) => status)).toEqual(posts.map(() => 'rejected'));
  await db.query(`update idempotency_keys set taken_at = now() - interval '61 seconds'`);
  await cluster.startServer();
  const [made, consuming, key, rotated, resent] = await Promise.all(send());

  expect(await named(db, 'targets', 'made')).toEqual([made?.['id']]);
  expect(made?.['signing_secret']).toMatch(/^whsec_/u);
  expect(await named(db, 'consumers', 'made')).toEqual([consuming?.['id']]);
  expect(await named(db, 'api_keys', 'made')).toEqual([key?.['id']]);
  const authorization = `Bearer ${key?.['key']}`;
  await cluster.request('GET', '/v1/info', undefined, { authorization });
  expect(resent).toEqual({ count: 1 });
  await cluster.caughtUp(id, 90_000);
  const { rows } = await db.query(`select from changes where action = 'resent'`);
  expect(rows).toHaveLength(1);
  await until(() => receiver.received.filter((one) => one.id === 'resent').length === 2);

  // It was rotated once, so the secret of before signs on beside the one that was answered.
  await cluster.request('POST', `/v1/targets/${target.id}/test`);
  const tested = receiver.received.at(-1);
  expect(verifies(tested, rotated?.['signing_secret'])).toBe(true);
  expect(verifies(tested, target.signing_secret)).toBe(true);
}, 180_000);

describe('something that was created without an answer', () => {
  let api: OwnApp;
  beforeAll(async () => {
    api = await openOwnApp();
  });
  afterAll(async () => {
    await api[Symbol.asyncDispose]();
  });

  const target = { name: 't', base_url: 'https://example.com' };
  const createTarget = async (): Promise<string> =>
    (await api.request('POST', '/v1/targets', target)).body.id;
  const consumersOf = () =>
    createConsumers({
      db: api.db,
      region: 'r',
      alertsByDefault: true,
      eventRetentionMs: 30 * 86_400_000,
    });
  const consumer = async () => ({
    name: 'c',
    target_id: await createTarget(),
    stream: 'events',
  });

  test('exists once when the answer failed on the side of the server', async () => {
    const consumers = consumersOf();
    let fails = true;
    await using own = openApp(api.databaseUrl, {
      consumers: {
        ...consumers,
        create: async (...given) => {
          const made = await consumers.create(...given);
          if (fails) throw new Unavailable('away');
          return made;
        },
      },
    });
    const input = await consumer();
    const ask = () =>
      own.request('POST', '/v1/consumers', input, { 'idempotency-key': `own-${input.target_id}` });
    expect((await ask()).status).toBe(503);
    fails = false;
    const made = await ask();
    expect(made.status).toBe(201);
    const { body } = await api.request('GET', `/v1/consumers?target_id=${input.target_id}`);
    expect(body.data.map(({ id }: { id: string }) => id)).toEqual([made.body.id]);
  });

  test('exists once when several requests repeat it at the same time; a consumer that was deleted since is not created again', async () => {
    const consumers = consumersOf();
    const input = ConsumerInput.parse(await consumer());
    const making = newSeed();
    const made = Array.from({ length: 4 }, () => consumers.create(input, 'test', making));
    expect(new Set((await Promise.all(made)).map(({ id }) => id))).toEqual(new Set([making.id]));
    const key = ApiKeyInput.parse({ name: 'k', scopes: ['read'] });
    const { apiKeys } = api.access;
    const keys = Array.from({ length: 4 }, () => apiKeys.create(key, 'test', making));
    const texts = (await Promise.all(keys)).map((one) => one.key);
    expect(new Set(texts).size).toBe(1);
    await api.db.query({
      text: 'update consumers set deleted_at = now() where id = $1',
      values: [making.id],
    });
    await expect(consumers.create(input, 'test', making)).rejects.toThrow('deleted since');
  });

  test('is the same secret when a rotation is repeated, even after another rotation, and no secret ends sooner', async () => {
    const id = await createTarget();
    const targets = createTargets({
      db: api.db,
      vault: api.vault,
      egress: { refusal: () => null },
    });
    const [one, two] = [newSeed(), newSeed()];
    const first = await targets.rotateSecret(id, 3_600, one);
    const signing = await targets.open(id);
    expect(await targets.rotateSecret(id, 3_600, one)).toMatchObject({
      signing_secret: first?.signing_secret,
    });
    expect(await targets.open(id)).toEqual(signing);
    const second = await targets.rotateSecret(id, 3_600, two);
    const again = await targets.rotateSecret(id, 3_600, one);
    expect(again?.signing_secret).toBe(first?.signing_secret);
    expect((await targets.open(id))?.secrets).toEqual([
      second?.signing_secret,
      first?.signing_secret,
    ]);
  });

  test('is the same webhook when a test of a target is repeated', async () => {
    const ids: string[] = [];
    await using own = openApp(api.databaseUrl, {
      testTarget: (_target, messageId) => {
        ids.push(messageId);
        return Promise.reject(new Error('it dies'));
      },
    });
    const { body } = await own.request('POST', '/v1/targets', target);
    const path = `/v1/targets/${body.id}/test`;
    for (const key of ['same-test', 'same-test', 'other-test']) {
      const { status } = await own.request('POST', path, undefined, { 'idempotency-key': key });
      expect(status).toBe(500);
    }
    expect(ids).toEqual([ids[0], ids[0], expect.not.stringContaining(ids[0]!)]);
  });
});

/**
 * Whoever stores an answer waits in Postgres; resolves to what, once `count` do, calls `work` and then
 * ends all of these, with nothing stored.
 */
async function holdAnswers(
  db: Db,
  count: number,
): Promise<(work: () => Promise<void>) => Promise<void>> {
  const WAITING = `
    from pg_locks where locktype = 'advisory' and not granted
     and database = (select oid from pg_database where datname = current_database())`;
  await db.query(`
    create function hold() returns trigger language plpgsql as $$
      begin perform pg_advisory_xact_lock(1); return new; end $$`);
  await db.query(`
    create trigger hold before update on idempotency_keys for each row
      when (new.state = 'done') execute function hold()`);
  const locked = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const holding = db.transaction(async (tx) => {
    await tx.query('select pg_advisory_xact_lock(1)');
    locked.resolve();
    await over.promise;
  });
  await locked.promise;
  const waiting = async (): Promise<number> => (await db.query(`select ${WAITING}`)).rows.length;
  return async (work) => {
    try {
      await until(async () => (await waiting()) === count, { what: `${count} answers wait` });
      await work();
      // The backend of a client that is gone goes on until it has to answer.
      await db.query(`select pg_terminate_backend(pid) ${WAITING}`);
      await until(async () => (await waiting()) === 0);
    } finally {
      over.resolve();
      await holding;
    }
    await db.query('drop trigger hold on idempotency_keys');
  };
}

async function named(db: Db, table: string, name: string): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>({
    text: `select id from ${table} where name = $1`,
    values: [name],
  });
  return rows.map(({ id }) => id);
}

function verifies(one: Received | undefined, secret = ''): boolean {
  try {
    new Webhook(secret).verify(one?.body ?? '', one?.headers as Record<string, string>);
    return true;
  } catch {
    return false; // it throws where the signature is another one
  }
}
