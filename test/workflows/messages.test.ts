import { WorkflowUpdateFailedError } from '@temporalio/client';
import { expect, test } from 'vitest';

import { visitsIdOf } from '../../src/temporal/startVisits.ts';
import { historyLength } from '../support/historyLength.ts';
import { until } from '../support/poll.ts';
import { answer, openReceiver } from '../support/receiver.ts';
import { openWorld, someEvents } from '../support/world.ts';

test('an update with a malformed argument is rejected, and the consumer continues', async () => {
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

test('a signal that is ignored is immediately noted on the page of an idle consumer, and has no other effect', async () => {
  await using world = await openWorld({ idleAfterMs: 50 });
  await using receiver = await openReceiver();
  const consumer = await world.consumer(await world.target(receiver.url));
  await world.append.events(someEvents(1));
  await world.caughtUp(consumer);
  const handle = world.handle(consumer);
  const page = async (): Promise<string> =>
    (await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata')).currentDetails;
  await until(async () => (await page()).startsWith('**Active, quiet'));
  const before = await historyLength(world, consumer);
  await handle.signal('addCollections', 'oops');
  const noted = await until(async () => {
    const text = await page();
    return text.includes('Ignored signal') && text;
  });
  expect(noted).toContain('addCollections: the argument must be a JSON array of strings.');
  // The signal, and the task in which it was read: no timer, no attribute.
  await until(async () => (await handle.describe()).historyLength === before + 4);
});

interface Definition {
  name: string;
  description?: string;
}

interface Metadata {
  definition: Record<'signalDefinitions' | 'updateDefinitions' | 'queryDefinitions', Definition[]>;
}

test('every signal, update and query says on the page of a workflow what it does', async () => {
  await using world = await openWorld({ visitLanes: 1 });
  await using receiver = await openReceiver();
  const consumer = await world.consumer(await world.target(receiver.url));
  const visits = world.client.workflow.getHandle(visitsIdOf(`${world.taskQueue}-deliver`));
  const definitions: Definition[] = [];
  for (const handle of [world.handle(consumer), visits]) {
    const { definition } = await until(() =>
      handle.query<Metadata>('__temporal_workflow_metadata'),
    );
    const { signalDefinitions, updateDefinitions, queryDefinitions } = definition;
    definitions.push(...signalDefinitions, ...updateDefinitions, ...queryDefinitions);
  }
  const names = definitions.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['addSyncs', 'retryNow', 'ask', 'state', 'lanes']));
  const undescribed = definitions.filter(({ description = '' }) => description === '');
  expect(undescribed).toEqual([]);
  // How long the retry window is, a setting says.
  expect(definitions.filter(({ description = '' }) => /\d+ ?h/u.test(description))).toEqual([]);
});

test('the timers of a workflow say what they wait for', async () => {
  await using world = await openWorld({ ownRetriesMs: 0 });
  await using receiver = await openReceiver(answer(503, { 'retry-after': '3' }));
  const consumer = await world.consumer(await world.target(receiver.url));
  await world.append.events(someEvents(1));
  await world.becomes(consumer, 'blocked');
  const summaries = async (): Promise<Set<unknown>> => {
    const { events } = await world.handle(consumer).fetchHistory();
    const timers = (events ?? []).filter((event) => event.timerStartedEventAttributes != null);
    return new Set(
      timers.map(({ userMetadata }): unknown => {
        const data = userMetadata?.summary?.data;
        return data == null ? null : JSON.parse(Buffer.from(data).toString('utf8'));
      }),
    );
  };
  const expected = [
    'until the next attempt at the failing entry',
    'until an alert says that its endpoint keeps failing',
  ];
  await until(async () => (await summaries()).size >= expected.length);
  expect(await summaries()).toEqual(new Set(expected));
});
