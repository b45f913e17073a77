// commands of consumers under an Idempotency-Key, with a real workflow
import { expect, test } from 'vitest';

import { openReceiver } from '../support/receiver.ts';
import { openWorld, type World } from '../support/world.ts';

const withKey = (key: string) => ({ 'idempotency-key': key });

async function changesOf(world: World, consumer: string): Promise<string[]> {
  const { body } = await world.api.request('GET', `/v1/changes?consumer_id=${consumer}`);
  return body.data.map(({ action }: { action: string }) => action).toReversed();
}

test('another PATCH, DELETE or command under a used Idempotency-Key is 422 and changes nothing', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const target = await world.target(receiver.url);
  const consumer = await world.consumer(target);
  const other = await world.consumer(target);
  const path = `/v1/consumers/${consumer}`;
  const patch = (name: string) => world.api.request('PATCH', path, { name }, withKey('patched'));
  const first = await patch('first');
  expect([first.status, first.body.name]).toEqual([200, 'first']);
  const again = await patch('first');
  expect([again.body, again.headers.get('idempotency-replayed')]).toEqual([first.body, 'true']);

  for (const [method, at, body] of [
    ['PATCH', path, { name: 'second' }],
    ['PATCH', `/v1/consumers/${other}`, { name: 'first' }],
    ['DELETE', path, undefined],
    ['POST', `${path}/pause`, undefined],
  ] as const) {
    const answer = await world.api.request(method, at, body, withKey('patched'));
    expect([at, answer.status, answer.body.code]).toEqual([at, 422, 'idempotency_mismatch']);
  }
  expect(await changesOf(world, consumer)).toEqual(['created', 'changed']);
  expect(await changesOf(world, other)).toEqual(['created']);

  const remove = () => world.api.request('DELETE', path, undefined, withKey('deleted'));
  expect([(await remove()).status, (await remove()).status]).toEqual([204, 204]);
  expect((await world.api.request('GET', path)).status).toBe(404);
}, 120_000);

test('an Idempotency-Key whose 24 hours are over gives its command again', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const consumer = await world.consumer(await world.target(receiver.url));
  const pause = () =>
    world.api.request('POST', `/v1/consumers/${consumer}/pause`, undefined, withKey('daily'));
  expect((await pause()).body.status).toBe('paused');
  await world.api.request('POST', `/v1/consumers/${consumer}/resume`);
  await world.api.db.query('update idempotency_keys set expires_at = now()');
  expect((await pause()).body.status).toBe('paused');
}, 120_000);

test('a command from before the ids of commands contained a seed has no further effect when it is repeated', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const consumer = await world.consumer(await world.target(receiver.url));
  const command = { kind: 'patch', patch: { name: 'before' } };
  const editId = 'patch:bootstrap:lost-answer';
  await world.handle(consumer).executeUpdate('ask', {
    updateId: editId,
    args: [{ editId, actor: 'bootstrap', command }],
  });
  const path = `/v1/consumers/${consumer}`;
  const body = { name: 'before' };
  const again = await world.api.request('PATCH', path, body, withKey('lost-answer'));
  expect([again.status, again.body.name]).toEqual([200, 'before']);
  expect(await changesOf(world, consumer)).toEqual(['created', 'changed']);
}, 120_000);
