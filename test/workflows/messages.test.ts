import { WorkflowUpdateFailedError } from '@temporalio/client';
import { expect, test } from 'vitest';

import { openReceiver } from '../support/receiver.ts';
import { openWorld } from '../support/world.ts';

test('an update with a garbage argument is rejected, and the consumer goes on', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const consumer = await world.consumer(await world.target(receiver.url));
  const command = { kind: 'pause' };
  for (const garbage of [
    null,
    7,
    {},
    { editId: 'e', actor: 'a' },
    { editId: 'e', actor: 'a', command: { kind: 'explode' } },
    { editId: 7, actor: 'a', command },
    { editId: 'e', command },
  ]) {
    const update = world.handle(consumer).executeUpdate('ask', { args: [garbage] });
    await expect(update, JSON.stringify(garbage)).rejects.toBeInstanceOf(WorkflowUpdateFailedError);
  }
  const paused = await world.api.request('POST', `/v1/consumers/${consumer}/pause`);
  expect([paused.status, paused.body.status]).toEqual([200, 'paused']);
});

test('commands that cross a continue-as-new are all answered', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const consumer = await world.consumer(await world.target(receiver.url));
  const runs = new Set<string>();
  const answers: number[] = [];
  // Two at a time, so that one may come while a run is about to end.
  const asking = ['pause', 'resume'].map(async (verb) => {
    for (let round = 0; runs.size < 3 && round < 300; round += 1) {
      const { status } = await world.api.request('POST', `/v1/consumers/${consumer}/${verb}`);
      answers.push(status);
      if (status !== 200) return;
      runs.add((await world.handle(consumer).describe()).runId);
    }
  });
  await Promise.all(asking);
  expect(new Set(answers)).toEqual(new Set([200]));
  expect(runs.size).toBe(3);
}, 240_000);
