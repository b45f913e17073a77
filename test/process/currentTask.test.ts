// a process that wakes with an old task of Temporal's in its hands, with a real server
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';

import { Context } from '@temporalio/activity';
import { Client, Connection } from '@temporalio/client';
import {
  bundleWorkflowCode,
  DefaultLogger,
  NativeConnection,
  Worker,
  type ActivityInterceptorsFactory,
} from '@temporalio/worker';
import { expect, inject, test } from 'vitest';

import { createCurrentTaskInterceptor } from '../../src/temporal/currentTask.ts';
import type { LateActivities } from '../support/lateWorkflow.ts';
import { until } from '../support/poll.ts';

interface Late extends AsyncDisposable {
  /** The attempts whose activity has begun. */
  begun: number[];
  /** Attempts that wait before anything of them is executed, as in a process that is frozen. */
  held: Map<number, PromiseWithResolvers<void>>;
  /** How each held attempt has ended. */
  ended: Map<number, unknown>;
  run(): Promise<number>;
}

/** A worker whose first attempts are frozen before they begin; `heldAttempts` of them. */
async function openLate(heldAttempts: number): Promise<Late> {
  const stack = new AsyncDisposableStack();
  const address = inject('temporalAddress');
  const taskQueue = `late-${randomUUID().slice(0, 8)}`;
  const connection = await Connection.connect({ address });
  stack.defer(() => connection.close());
  const native = await NativeConnection.connect({ address });
  stack.defer(() => native.close());
  const begun: number[] = [];
  const held = new Map<number, PromiseWithResolvers<void>>();
  const ended = new Map<number, unknown>();
  const freeze: ActivityInterceptorsFactory = ({ info: { attempt } }) => ({
    inbound: {
      execute: async (input, next) => {
        if (attempt > heldAttempts) return next(input);
        const gate = Promise.withResolvers<void>();
        held.set(attempt, gate);
        await gate.promise;
        return next(input).then(
          (result) => {
            ended.set(attempt, result);
            return result;
          },
          (error: unknown) => {
            ended.set(attempt, error);
            throw error;
          },
        );
      },
    },
  });
  const activities: LateActivities = {
    attempt: () => {
      const { attempt } = Context.current().info;
      begun.push(attempt);
      return Promise.resolve(attempt);
    },
  };
  const worker = await Worker.create({
    connection: native,
    taskQueue,
    activities,
    interceptors: { activity: [freeze, createCurrentTaskInterceptor(Date.now)] },
    workflowBundle: await bundleWorkflowCode({
      workflowsPath: fileURLToPath(new URL('../support/lateWorkflow.ts', import.meta.url)),
      logger: new DefaultLogger('ERROR'),
    }),
  });
  const running = worker.run();
  stack.defer(async () => {
    worker.shutdown();
    await running;
  });
  const client = new Client({ connection });
  const run = (): Promise<number> =>
    client.workflow.execute('late', { taskQueue, workflowId: randomUUID(), args: [] });
  return { begun, held, ended, run, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test('when its process wakes, an attempt that Temporal has given up is not begun, but the next one is', async () => {
  await using late = await openLate(1);
  expect(await late.run()).toBe(2); // the second attempt is made once the first has timed out
  expect([...late.held.keys()]).toEqual([1]);
  late.held.get(1)?.resolve();
  await until(() => late.ended.has(1));
  expect(late.ended.get(1)).toMatchObject({ type: 'GIVEN_UP' });
  expect(late.begun).toEqual([2]);
});

test('an attempt that begins late, but that Temporal has not given up, is made', async () => {
  await using late = await openLate(1);
  const running = late.run();
  await until(() => late.held.has(1));
  const heldAt = performance.now();
  await until(() => performance.now() - heldAt > 600); // it counts as old from 500 ms on
  late.held.get(1)?.resolve();
  expect(await running).toBe(1);
  expect(late.begun).toEqual([1]);
});
