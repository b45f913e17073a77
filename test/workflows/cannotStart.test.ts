// a lasting fault that is not the endpoint's, on real Postgres and Temporal: seen, harmless to others, mended
import { randomBytes } from 'node:crypto';

import { expect, test } from 'vitest';

import { createVault } from '../../src/db/vault.ts';
import { createEgress } from '../../src/egress/egress.ts';
import type { Alert } from '../../src/schema/alert.ts';
import type { Consumer } from '../../src/schema/consumer.ts';
import { createTargets } from '../../src/targets/targets.ts';
import type { State } from '../../src/workflows/messages.ts';
import { LOOPBACK, openApp } from '../support/app.ts';
import { openEgressProxy } from '../support/egressProxy.ts';
import { until } from '../support/poll.ts';
import { openReceiver, type TestReceiver } from '../support/receiver.ts';
import { openWorld, someEvents, type World } from '../support/world.ts';

const newVault = () => createVault([{ id: 'new', key: randomBytes(32) }]);

function faulty(world: World, consumerId: string): Promise<Consumer> {
  return until(
    async () => {
      const consumer = await world.get(consumerId);
      return consumer.cannot_start !== null && consumer;
    },
    { what: `the fault of consumer ${consumerId} is shown` },
  );
}

async function alertsOf(world: World, consumerId: string): Promise<Alert[]> {
  const { body } = await world.api.request('GET', `/v1/consumers/${consumerId}/alerts`);
  return body.data as Alert[];
}

/** Of what has come; entries of different records come in any order. */
const positions = ({ received }: TestReceiver): number[] =>
  received.map((one) => one.position).toSorted((a, b) => a - b);

/** A world in which one consumer has sent an entry and then, by `damage`, can't be sent to; 2 more wait. */
async function damaged(world: World, receiver: TestReceiver, damage: string, more: object = {}) {
  await world.append.events(someEvents(1));
  const target = await world.target(receiver.url, {
    credentials: { type: 'bearer', token: 'planted-token-of-a-target' },
  });
  const consumer = await world.consumer(target, { start: 'beginning', ...more });
  await until(() => receiver.received.length === 1);
  await world.caughtUp(consumer);
  await world.stopWorker();
  await world.db.query(damage);
  await world.append.events(someEvents(2, { from: 1 }));
  return { target, consumer };
}

test.concurrent('secrets that were sealed with a lost key are reported within seconds, no other consumer is affected, and saving new ones fixes it', async () => {
  await using world = await openWorld();
  await using lost = await openReceiver();
  await using well = await openReceiver();
  const { target, consumer } = await damaged(world, lost, 'select 1');
  const vault = newVault();
  const egress = createEgress({ allowCidrs: LOOPBACK });
  const targets = createTargets({ db: world.db, vault, egress });
  const other = await targets.create({
    name: 'well',
    kind: 'webhook',
    base_url: well.url,
    credentials: { type: 'none' },
    headers: {},
    ca: null,
    client_certificate: null,
    timeout_ms: 15_000,
    max_in_flight: 64,
    rate_limit: null,
    metadata: {},
  });
  const healthy = await world.consumer(other.id, { start: 'beginning' });
  await world.startWorker(undefined, vault);

  const shown = await faulty(world, consumer);
  expect(shown).toMatchObject({ status: 'active', failing_since: null, position: 1 });
  expect(shown.cannot_start).toMatchObject({
    code: 'credentials_unreadable',
    detail:
      `The stored value of the target's credentials is sealed with encryption key "test", which ` +
      'is not in MILLRACE_ENCRYPTION_KEYS: save the credentials again, or add back the key that sealed them',
  });
  expect(shown.health.status).toBe('error');
  expect(shown.health.notes[0]).toContain('is not in MILLRACE_ENCRYPTION_KEYS');
  await world.caughtUp(healthy);
  expect(positions(well)).toEqual([1, 2, 3]);

  const [alert] = await until(async () => {
    const alerts = await alertsOf(world, consumer);
    return alerts.length > 0 && alerts;
  });
  expect(alert).toMatchObject({
    kind: 'warning',
    detail: {
      reason: shown.cannot_start?.detail,
      cannot_start: { code: 'credentials_unreadable' },
    },
  });
  const state = await until(async () => {
    const now = await world.handle(consumer).query<State>('state');
    return now.cannot_start !== null && now;
  });
  expect(state).toMatchObject({ status: 'active', cannot_start: shown.cannot_start?.detail });

  // A command is carried out at once although nothing can be sent.
  const paused = await world.api.request('POST', `/v1/consumers/${consumer}/pause`);
  expect([paused.status, paused.body.cannot_start]).toEqual([200, null]);
  expect((await world.api.request('POST', `/v1/consumers/${consumer}/resume`)).status).toBe(200);
  await faulty(world, consumer);

  await targets.patch(target, { credentials: { type: 'bearer', token: 'another-token-of-it' } });
  await until(async () => {
    return (await world.get(consumer)).cannot_start?.code === 'signing_secret_unreadable';
  });
  const rotated = await targets.rotateSecret(target, 3_600);
  expect(rotated?.health.status).toBe('error'); // until its consumer has started
  await world.caughtUp(consumer);
  expect(positions(lost)).toEqual([1, 2, 3]);
  const mended = await until(async () => {
    const now = await world.get(consumer);
    return now.cannot_start === null && now;
  });
  expect(mended.health).toMatchObject({ status: 'ok', notes: [] });
  const kinds = await until(async () => {
    const alerts = await alertsOf(world, consumer);
    return alerts[0]?.kind === 'recovered' && alerts.map(({ kind }) => kind);
  });
  expect(kinds.filter((kind) => kind === 'recovered')).toHaveLength(1);
  expect((await targets.get(target))?.health.status).toBe('ok');
}, 120_000);

test.concurrent('when the old key is back, a worker that starts with it sends again within seconds', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const { consumer } = await damaged(world, receiver, 'select 1');
  await world.startWorker(undefined, newVault());
  await faulty(world, consumer);
  await world.stopWorker();
  // As if it had been away for an hour: its next try by itself is minutes away.
  await world.db.query(`update start_faults set since = since - interval '1 hour'`);
  await world.startWorker();
  await until(() => receiver.received.length === 3);
  expect((await world.caughtUp(consumer)).cannot_start).toBeNull();
}, 120_000);

test.concurrent.each([
  {
    title: 'a URL that cannot be read',
    damage: `update targets set base_url = 'not a url'`,
    mend: (url: string) => `update targets set version = version + 1, base_url = '${url}'`,
    code: 'url_unreadable',
  },
  {
    title: 'a path that could be read as a host, which older versions accepted',
    damage: `update consumers set path = '//x'`,
    mend: null,
    code: 'url_unreadable',
  },
  {
    title: 'certificates that cannot be read',
    damage: `update targets set ca = 'not a certificate'`,
    mend: () => `update targets set version = version + 1, ca = null`,
    code: 'certificate_unreadable',
  },
  {
    title: 'a filter with a null in it',
    damage: `update filter_versions set syncs = array[null]`,
    mend: null,
    code: 'filter_unreadable',
  },
  {
    title: 'a filter that is lost',
    damage: `delete from filter_versions`,
    mend: null,
    code: 'filter_unreadable',
  },
  {
    title: 'an expression of the body that cannot be compiled',
    damage: `update consumers set body = '{"mode": "map", "expression": "nothing("}'`,
    mend: null,
    code: 'body_unreadable',
  },
])(
  '$title is reported, and the waiting entries are sent once it is fixed',
  async ({ damage, mend, code }) => {
    await using world = await openWorld();
    await using receiver = await openReceiver();
    const { consumer } = await damaged(world, receiver, damage);
    await world.startWorker();
    const shown = await faulty(world, consumer);
    expect(shown).toMatchObject({ status: 'active', failing_since: null, cannot_start: { code } });
    if (mend === null) {
      const patches: Record<string, object> = {
        filter_unreadable: { syncs: ['*'], collections: ['*'], event_types: ['*'] },
        body_unreadable: { body: { mode: 'thin' } },
      };
      const patch = patches[code] ?? { path: '/x' };
      const patched = await world.api.request('PATCH', `/v1/consumers/${consumer}`, patch);
      expect(patched.status).toBe(200);
    } else await world.db.query(mend(receiver.url));
    await until(() => receiver.received.length === 3);
    expect((await world.caughtUp(consumer)).cannot_start).toBeNull();
    expect(positions(receiver)).toEqual([1, 2, 3]);
  },
  120_000,
);

test.concurrent('an idle consumer whose filter cannot be read does not keep others from being woken, and says so', async () => {
  await using world = await openWorld({ idleAfterMs: 200 });
  await using one = await openReceiver();
  await using two = await openReceiver();
  const bad = await world.consumer(await world.target(one.url));
  const good = await world.consumer(await world.target(two.url));
  await world.stopWorker();
  await world.db.query({
    text: `update filter_versions set collections = array[null] where consumer_id = $1`,
    values: [bad],
  });
  await world.startWorker();
  expect((await faulty(world, bad)).cannot_start?.code).toBe('filter_unreadable');
  await world.append.events(someEvents(3));
  await until(() => two.received.length === 3);
  await world.caughtUp(good);
  expect(one.received).toEqual([]);
  const { body } = await world.api.request('GET', '/v1/consumers');
  expect(body.data).toHaveLength(2);
}, 120_000);

test.concurrent('a blocked consumer that cannot be tried says so, keeps its window, and is tried once the fault is fixed', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver((_one, response) => response.writeHead(503).end());
  await world.append.events(someEvents(1));
  const consumer = await world.consumer(await world.target(receiver.url), { start: 'beginning' });
  const blocked = await world.becomes(consumer, 'blocked');
  await world.stopWorker();
  await world.startWorker(undefined, newVault());
  await world.api.request('POST', `/v1/consumers/${consumer}/retry`);
  const shown = await faulty(world, consumer);
  expect(shown).toMatchObject({ status: 'blocked', failing_since: blocked.failing_since });
  const tries = receiver.received.length;
  receiver.respond = (_one, response) => response.writeHead(204).end();
  await world.stopWorker();
  expect(receiver.received).toHaveLength(tries);
  await world.startWorker();
  const again = await world.becomes(consumer, 'active');
  expect(again).toMatchObject({ cannot_start: null, failing_since: null });
}, 120_000);

test.concurrent('a target that is damaged while a consumer sends to it ends the drain, and is reported', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  await world.append.events(someEvents(1));
  const consumer = await world.consumer(await world.target(receiver.url), { start: 'beginning' });
  await until(() => receiver.received.length === 1);
  await world.db.query(`update targets set base_url = 'not a url', version = version + 1`);
  await world.append.events(someEvents(1, { from: 1 }));
  expect((await faulty(world, consumer)).cannot_start?.code).toBe('url_unreadable');
  const app = openApp(world.databaseUrl, {});
  const list = await app.request('GET', '/v1/targets');
  expect([list.status, list.body.data.length]).toEqual([200, 1]);
  await app[Symbol.asyncDispose]();
}, 120_000);

test.concurrent.each([
  ['of a drain of its own', 0],
  ['of a lane of visits', 1],
])(
  'an egress proxy that is away does not blame an endpoint %s, is named in the alert, and the waiting entries are sent once it is back',
  async (_of, visitLanes) => {
    const proxy = await openEgressProxy();
    await using receiver = await openReceiver();
    await using world = await openWorld({
      egressProxy: proxy.url,
      ownRetriesMs: 500,
      visitRetriesMs: 500,
      visitLanes,
      idleAfterMs: 200,
    });
    await world.append.events(someEvents(1));
    const consumer = await world.consumer(await world.target(receiver.url), { start: 'beginning' });
    await until(() => receiver.received.length === 1);
    await world.caughtUp(consumer);
    await proxy[Symbol.asyncDispose]();
    await world.append.events(someEvents(2, { from: 1 }));

    const shown = await faulty(world, consumer);
    expect(shown).toMatchObject({
      status: 'active',
      failing_since: null,
      last_failure: null,
      next_attempt_at: null,
      position: 1,
      cannot_start: { code: 'proxy_unreachable' },
    });
    expect(shown.cannot_start?.detail).toContain('MILLRACE_EGRESS_PROXY');
    const [alert] = await until(async () => {
      const alerts = await alertsOf(world, consumer);
      return alerts.length > 0 && alerts;
    });
    expect(alert).toMatchObject({
      kind: 'warning',
      detail: { reason: shown.cannot_start?.detail, cannot_start: { code: 'proxy_unreachable' } },
    });

    await using again = await openEgressProxy(proxy.port);
    await world.api.request('POST', `/v1/consumers/${consumer}/retry`);
    await until(() => receiver.received.length === 3);
    await world.caughtUp(consumer);
    await until(async () => (await world.get(consumer)).cannot_start === null);
    expect(positions(receiver)).toEqual([1, 2, 3]);
    expect(again.asked.length).toBeGreaterThan(0);
  },
  120_000,
);

test.concurrent('while the egress proxy is away a blocked consumer keeps the failure of its endpoint', async () => {
  const proxy = await openEgressProxy();
  await using receiver = await openReceiver((_one, response) => response.writeHead(503).end());
  await using world = await openWorld({ egressProxy: proxy.url, ownRetriesMs: 0 });
  await world.append.events(someEvents(1));
  const consumer = await world.consumer(await world.target(receiver.url), { start: 'beginning' });
  const blocked = await world.becomes(consumer, 'blocked');
  await proxy[Symbol.asyncDispose]();
  await world.api.request('POST', `/v1/consumers/${consumer}/retry`);
  const shown = await faulty(world, consumer);
  expect(shown).toMatchObject({
    status: 'blocked',
    failing_since: blocked.failing_since,
    last_failure: { status: 503 },
    cannot_start: { code: 'proxy_unreachable' },
  });
}, 120_000);
