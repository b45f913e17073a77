// how one run of the workflow of visits follows another, with a real server that skips time
import { randomUUID } from 'node:crypto';

import { Context } from '@temporalio/activity';
import { Client, Connection } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { NativeConnection, Worker } from '@temporalio/worker';
import { expect, inject, test } from 'vitest';

import type { Visited, VisitInput } from '../../src/activities/contract.ts';
import type { VisitsArgs } from '../../src/workflows/visits.ts';
import { until } from '../support/poll.ts';

const HOUR_S = 3_600;
const LANES = 2;

/** A lane that runs, and how the test ends it. */
interface Running {
  input: VisitInput;
  /** It ends as a lane does whose time is over. */
  end: () => void;
  /** Its worker is lost, and Temporal starts it again after so many seconds. */
  move: (seconds: number) => void;
}

/** The workflow of visits with lanes that do nothing, so that a test decides when each of them ends. */
async function openVisits() {
  const stack = new AsyncDisposableStack();
  const taskQueue = `test-${randomUUID().slice(0, 8)}`;
  const workflowId = `visits/${taskQueue}`;
  const running = new Map<number, Running>();
  const visit = async (input: VisitInput): Promise<Visited> => {
    const activity = Context.current();
    const beat = setInterval(() => activity.heartbeat(), 1_000);
    try {
      await new Promise<void>((resolve, reject) => {
        activity.cancellationSignal.addEventListener('abort', () => resolve());
        const move = (seconds: number): void =>
          reject(ApplicationFailure.create({ message: 'moved', nextRetryDelay: seconds * 1_000 }));
        running.set(input.lane, { input, end: resolve, move });
      });
    } finally {
      clearInterval(beat);
    }
    return { lane: input.lane, visits: 0, handedOver: 0 };
  };
  const address = inject('temporalAddress');
  const connection = await Connection.connect({ address });
  stack.defer(() => connection.close());
  const native = await NativeConnection.connect({ address });
  stack.defer(() => native.close());
  const worker = await Worker.create({
    connection: native,
    taskQueue,
    activities: { visit },
    workflowBundle: { codePath: inject('workflowBundle') },
  });
  const worked = worker.run();
  stack.defer(async () => {
    worker.shutdown();
    await worked;
  });
  const client = new Client({ connection });
  const started = await client.workflow.start('visits', {
    taskQueue,
    workflowId,
    args: [{ deliveryQueue: taskQueue, lanes: LANES } satisfies VisitsArgs],
  });
  const handle = client.workflow.getHandle(workflowId);
  stack.defer(async () => {
    await handle.terminate();
    for (const one of running.values()) one.end();
  });

  /** The lane of this number, once it runs and `isIt` says that it is the one that is waited for. */
  async function lane(number: number, isIt: (one: Running) => boolean = () => true) {
    await until(() => {
      const one = running.get(number);
      return one !== undefined && isIt(one);
    });
    return running.get(number) as Running;
  }

  /** Both lanes are moved at once, and the server skips the time until they are started again. */
  async function pass(seconds: number): Promise<void> {
    const both = await Promise.all([lane(0), lane(1)]);
    await connection.workflowService.updateWorkflowExecutionOptions({
      namespace: 'default',
      workflowExecution: { workflowId },
      workflowExecutionOptions: {
        timeSkippingConfig: {
          enabled: true,
          fastForwardConfig: { id: randomUUID(), duration: { seconds: seconds + 60 } },
        },
      } as object,
      updateMask: { paths: ['time_skipping_config'] },
    });
    for (const one of both) one.move(seconds);
    await Promise.all(both.map((one) => lane(one.input.lane, (next) => next !== one)));
  }

  /** Ends this lane, and returns the one that takes its place. */
  async function next(number: number): Promise<Running> {
    const before = await lane(number);
    before.end();
    return await lane(number, (one) => one !== before);
  }

  return {
    firstRunId: started.firstExecutionRunId,
    runId: async () => (await handle.describe()).runId,
    lane,
    pass,
    next,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Lets the lanes run until the end of their run, and sees that both begin again in the next one, for an hour each. */
async function seeNextRun(visits: Awaited<ReturnType<typeof openVisits>>, leftMs: number) {
  await visits.pass(Math.ceil(leftMs / 1_000));
  const [zero, one] = await Promise.all([visits.next(0), visits.next(1)]);
  expect([zero.input, one.input]).toEqual([{ lane: 0 }, { lane: 1 }]);
  expect(await visits.runId()).not.toBe(visits.firstRunId);
}

test('each day another run takes over, and no lane is missing in the last hour before', async () => {
  await using visits = await openVisits();
  for (const number of [0, 1]) expect((await visits.lane(number)).input).toEqual({ lane: number });
  await visits.pass(23.5 * HOUR_S);
  const half = { lane: 0, endsWithinMs: expect.any(Number) as number };
  const { input } = await visits.next(0); // while lane 1 goes on
  expect(input).toEqual(half);
  expect(input.endsWithinMs).toBeLessThanOrEqual(0.5 * HOUR_S * 1_000);
  expect(input.endsWithinMs).toBeGreaterThan(0.4 * HOUR_S * 1_000);
  expect(await visits.runId()).toBe(visits.firstRunId);
  await seeNextRun(visits, input.endsWithinMs ?? 0);
});

test('a history that has become long ends its run after an hour, in which no lane is missing', async () => {
  await using visits = await openVisits();
  await visits.lane(1);
  let { input } = await visits.lane(0);
  for (let ended = 0; ended < 200 && input.endsWithinMs === undefined; ended += 1) {
    ({ input } = await visits.next(0));
  }
  expect(input.endsWithinMs).toBeLessThanOrEqual(HOUR_S * 1_000);
  expect(input.endsWithinMs).toBeGreaterThan(0.9 * HOUR_S * 1_000);
  expect((await visits.next(1)).input.endsWithinMs).toBeLessThanOrEqual(input.endsWithinMs ?? 0);
  expect(await visits.runId()).toBe(visits.firstRunId);
  await seeNextRun(visits, input.endsWithinMs ?? 0);
});
