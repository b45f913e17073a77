import { Webhook } from 'standardwebhooks';
import { describe, expect, test } from 'vitest';

import { emptyBatch } from '../../src/progress/attemptLog.ts';
import { createProgress } from '../../src/progress/progress.ts';
import { openConsumersApi } from '../support/consumers.ts';
import { HOSTS } from '../support/hosts.ts';
import { IS_LONG } from '../support/long.ts';
import { until } from '../support/poll.ts';
import { openReceiver } from '../support/receiver.ts';
import { holdTokens, openTokenServer } from '../support/tokenServer.ts';
import { openWorld, someEvents } from '../support/world.ts';

const ROUNDS = IS_LONG ? 60 : 15;
const ROTATIONS = IS_LONG ? 20 : 8;
const CONSUMERS = 3;

describe.each(HOSTS)('sent to by $by', ({ options }) => {
  test.concurrent(`an entry that is appended once an edit of the target is answered is sent by the edit, in ${ROUNDS} edits under traffic`, async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    const target = await world.target(receiver.url);
    for (let n = 0; n < CONSUMERS; n++) await world.consumer(target);
    const stale: unknown[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      await world.append.events(someEvents(5)); // so that its drains are busy
      const headers = { 'x-round': String(round) };
      const edited = await world.api.request('PATCH', `/v1/targets/${target}`, { headers });
      expect(edited.status).toBe(200);
      const { position } = await world.append.events(someEvents(1));
      const sent = await until(() => {
        const found = receiver.received.filter((one) => one.position === position);
        return found.length === CONSUMERS && found;
      });
      const wrong = sent.filter((one) => one.headers['x-round'] !== String(round));
      stale.push(...wrong.map(() => round));
    }
    expect(stale).toEqual([]);
  }, 240_000);

  test.concurrent('once a rotation is answered, every request that starts is signed with the new secret', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    const target = await world.target(receiver.url);
    await world.consumer(target);
    for (let round = 0; round < ROTATIONS; round++) {
      await world.append.events(someEvents(5));
      const path = `/v1/targets/${target}/rotate-secret`;
      const { body } = await world.api.request('POST', path, { expires_in: 0 });
      const { position } = await world.append.events(someEvents(1));
      const sent = await until(() => receiver.received.find((one) => one.position === position));
      const secret = new Webhook(body.signing_secret as string);
      expect(() => secret.verify(sent.body, sent.headers as Record<string, string>)).not.toThrow();
    }
  }, 120_000);
});

describe.each(HOSTS)('a request of $by that waits for its token', ({ options }) => {
  test.each([
    ['comes', [true]],
    ['never comes', []],
    ['is refused', [false]],
  ])(
    'when an edit of the target is answered goes to the new endpoint, once, if the token %s',
    async (_how, answers) => {
      await using world = await openWorld(options);
      await using tokens = await openTokenServer();
      const waiting = holdTokens(tokens);
      await using before = await openReceiver();
      await using after = await openReceiver();
      const target = await world.target(before.url, { credentials: tokens.credentials });
      const consumer = await world.consumer(target);
      await world.append.events(someEvents(3));
      await until(() => waiting.length > 0);
      const change = { base_url: after.url, credentials: { type: 'none' } };
      const edited = await world.api.request('PATCH', `/v1/targets/${target}`, change);
      expect(edited.status).toBe(200);
      for (const isGranted of answers) waiting.forEach((answer) => answer(isGranted));
      await until(() => after.received.length === 3);
      expect(before.received).toHaveLength(0);
      expect(after.received.map((one) => one.attempt)).toEqual([1, 1, 1]);
      expect((await world.get(consumer)).status).toBe('active');
    },
  );

  test.each([
    ['filter', { syncs: ['other'] }],
    ['filter and path', { syncs: ['other'], path: '/elsewhere' }],
  ])('does not start once an edit of the %s that removes it is answered', async (_what, change) => {
    await using world = await openWorld(options);
    await using tokens = await openTokenServer();
    const waiting = holdTokens(tokens);
    await using receiver = await openReceiver();
    const target = await world.target(receiver.url, { credentials: tokens.credentials });
    const consumer = await world.consumer(target, { syncs: ['shop', 'other'] });
    await world.append.events(someEvents(3, { syncId: 'shop' }));
    await until(() => waiting.length > 0);
    const edited = await world.api.request('PATCH', `/v1/consumers/${consumer}`, change);
    expect(edited.status).toBe(200);
    for (const answer of waiting) answer(true);
    const { position } = await world.append.events(someEvents(1, { syncId: 'other' }));
    await until(() => receiver.received.length > 0);
    expect(receiver.received.map((one) => one.position)).toEqual([position]);
  });
});

test('once an edit of a target is answered, a sender that was frozen beyond its lease stores and sends nothing more', async () => {
  await using opened = await openConsumersApi();
  const { api } = opened;
  const progress = createProgress(api.db);
  const { id: consumerId, target_id: target } = await opened.create({ start: 'beginning' });
  const lease = await progress.acquire(consumerId, 'frozen', 1);
  await until(async () => {
    const { rows } = await api.db.query<{ over: boolean }>(
      'select lease_until < clock_timestamp() as over from cursors',
    );
    return rows[0]?.over;
  });
  const edited = await api.request('PATCH', `/v1/targets/${target}`, { timeout_ms: 5_000 });
  expect(edited.status).toBe(200);
  // It wakes and, before anything else, wants its lease renewed.
  const outcomes = { consumerId, epoch: lease?.epoch ?? 0, position: 3, ahead: [] };
  const nothing = { batch: emptyBatch(), attempts: [], parked: null };
  const renewed = await progress.commit([{ ...outcomes, ...nothing }], 8_000);
  expect([...renewed.keys()]).toEqual([]);
});

test('an edit of a target does not wait for consumers without a sender, and waits only for a limited time for a sender that does not answer', async () => {
  await using opened = await openConsumersApi();
  const { api } = opened;
  const progress = createProgress(api.db);
  const { id: idle, target_id: target } = await opened.create();
  const { id: paused } = await opened.create();
  const { id: sending } = await opened.create({ start: 'beginning' });
  await api.db.query({
    text: `update consumers set status = 'paused' where id = $1`,
    values: [paused],
  });
  await progress.acquire(paused, 'in flight ends', 60_000);
  const edit = (timeout_ms: number) =>
    api.request('PATCH', `/v1/targets/${target}`, { timeout_ms });
  const at = performance.now();
  expect([(await edit(5_000)).status, idle]).toEqual([200, idle]);
  const tookMs = performance.now() - at;

  const { epoch } = (await progress.acquire(sending, 'does not answer', 60_000)) ?? { epoch: 0 };
  const askedAt = performance.now();
  const refused = await edit(6_000);
  expect(tookMs).toBeLessThan(performance.now() - askedAt); // the limited time
  expect([refused.status, refused.body.code]).toEqual([503, 'temporal_unavailable']);
  expect((await api.request('GET', `/v1/targets/${target}`)).body.timeout_ms).toBe(6_000);

  const waiting = edit(7_000);
  const { rows } = await until(async () => {
    const found = await api.db.query<{ version: number }>('select version from targets');
    return found.rows[0]!.version === 4 && found;
  });
  const taken = { version: 1, filterVersion: 1, filterFrom: 0 };
  const seen = { id: target!, version: rows[0]!.version };
  await progress.confirm({ consumerId: sending, epoch, ...taken, target: seen });
  expect((await waiting).status).toBe(200);
}, 60_000);
