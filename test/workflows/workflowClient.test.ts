// what a command's caller hears, with a real server and a workflow that does not behave
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';

import { Client, Connection, WorkflowUpdateFailedError } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger, NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { Unavailable } from '../../src/consumers/commands.ts';
import { createWorkflowClient, workflowIdOf } from '../../src/temporal/workflowClient.ts';
import { until } from '../support/poll.ts';

const stack = new AsyncDisposableStack();
const taskQueue = `test-${randomUUID().slice(0, 8)}`;
let client: Client;

beforeAll(async () => {
  const address = inject('temporalAddress');
  const connection = await Connection.connect({ address });
  stack.defer(() => connection.close());
  client = new Client({ connection });
  const native = await NativeConnection.connect({ address });
  stack.defer(() => native.close());
  const worker = await Worker.create({
    connection: native,
    taskQueue,
    workflowBundle: await bundleWorkflowCode({
      workflowsPath: fileURLToPath(new URL('../support/hastyWorkflow.ts', import.meta.url)),
      logger: new DefaultLogger('ERROR'),
    }),
  });
  const running = worker.run();
  stack.defer(async () => {
    worker.shutdown();
    await running;
  });
});

afterAll(() => stack.disposeAsync());

function commandsOf(): ReturnType<typeof createWorkflowClient> {
  return createWorkflowClient({
    client,
    taskQueue,
    deliveryQueue: 'none',
    retryWindowMs: 86_400_000,
    publicUrl: 'https://millrace.test',
  });
}

test('a command that a run accepted, but did not answer before it ended, is answered by the next run', async () => {
  const commands = commandsOf();
  const consumerId = randomUUID();
  const request = { editId: randomUUID(), actor: 'test', command: { kind: 'pause' } } as const;
  expect(await commands.give(consumerId, request)).toEqual({ ok: true, version: 7 });
  await commands.settled();
  await client.workflow.getHandle(workflowIdOf(consumerId)).terminate();
});

test('a command that was refused is not given again, whatever the refusal says', async () => {
  const commands = commandsOf();
  const consumerId = randomUUID();
  const request = { editId: randomUUID(), actor: 'test', command: { kind: 'resume' } } as const;
  const error = await commands.give(consumerId, request).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(WorkflowUpdateFailedError);
  expect((error as WorkflowUpdateFailedError).cause?.message).toBe('it has completed 1 time');
  await commands.settled();
  await client.workflow.getHandle(workflowIdOf(consumerId)).terminate();
});

test('the answer to a command for a workflow whose task fails says that it may be repeated', async () => {
  const commands = commandsOf();
  const consumerId = `broken-${randomUUID()}`;
  await commands.start(consumerId);
  const handle = client.workflow.getHandle(workflowIdOf(consumerId));
  // Temporal refuses updates from the third attempt at a task on.
  await until(async () => ((await handle.describe()).raw.pendingWorkflowTask?.attempt ?? 0) >= 4, {
    timeoutMs: 60_000,
  });
  const request = { editId: randomUUID(), actor: 'test', command: { kind: 'pause' } } as const;
  await expect(commands.give(consumerId, request)).rejects.toThrow(Unavailable);
  await commands.settled();
  await handle.terminate();
});

test('a workflow has the region and the name of its consumer, whichever call starts it', async () => {
  const known = { region: 'far', name: 'orders', targetName: 'Receiver' };
  const workflows = createWorkflowClient({
    client,
    taskQueue,
    deliveryQueue: 'here',
    deliveryQueueOf: (region) => `in ${region}`,
    consumerOf: () => Promise.resolve(known),
    retryWindowMs: 86_400_000,
    publicUrl: 'https://millrace.test',
  });
  const pause = { editId: randomUUID(), actor: 'test', command: { kind: 'pause' } } as const;
  const summaries: (string | undefined)[] = [];
  for (const call of [
    (id: string) => workflows.start(id, known),
    (id: string) => workflows.wake(id, 1),
    (id: string) => workflows.give(id, pause),
  ]) {
    const consumerId = randomUUID();
    await call(consumerId);
    const handle = client.workflow.getHandle(workflowIdOf(consumerId));
    const [first] = (await handle.fetchHistory()).events ?? [];
    const input = first?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0]?.data;
    expect(JSON.parse(Buffer.from(input ?? []).toString())).toMatchObject({
      consumerId,
      deliveryQueue: 'in far',
    });
    const { memo, staticSummary } = await handle.describe();
    const consolePage = `https://millrace.test/consumers/${consumerId}`;
    expect(memo).toEqual({ consumer: 'orders', target: 'Receiver', console: consolePage });
    summaries.push(await staticSummary());
    await handle.terminate().catch(() => undefined); // it may have ended
  }
  // Temporal's client sends none with an update that starts a workflow.
  expect(summaries).toEqual(['orders → Receiver', 'orders → Receiver', undefined]);
  await workflows.settled();
});
