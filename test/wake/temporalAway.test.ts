import { randomUUID } from 'node:crypto';

import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { concurrently } from '../../src/process/concurrently.ts';
import { pacedConnection } from '../../src/temporal/pacedConnection.ts';
import {
  createWorkflowClient,
  isRefusal,
  workflowIdOf,
  type Workflows,
} from '../../src/temporal/workflowClient.ts';
import { createPacedQueue } from '../../src/wake/pacedQueue.ts';
import { createWakeSignals } from '../../src/wake/wakeSignals.ts';
import { until } from '../support/poll.ts';
import { createProxy, type Proxy } from '../support/proxy.ts';

const CONSUMERS = 100;

let scope: AsyncDisposableStack;
let proxy: Proxy;
let direct: Client;
/** Reaches Temporal through the proxy. */
let workflows: Workflows;
const consumerIds = Array.from({ length: CONSUMERS }, () => randomUUID());

beforeAll(async () => {
  scope = new AsyncDisposableStack();
  proxy = scope.use(await createProxy(`tcp://${inject('temporalAddress')}`));
  const connection = await Connection.connect({ address: inject('temporalAddress') });
  scope.defer(() => connection.close());
  const paced = pacedConnection({ address: new URL(proxy.url).host });
  scope.defer(() => paced.close());
  direct = new Client({ connection });
  const taskQueue = `test-${randomUUID()}`; // without a worker
  workflows = createWorkflowClient({
    client: direct,
    pacedClient: new Client({ connection: paced }),
    taskQueue,
    deliveryQueue: `${taskQueue}-deliver`,
    retryWindowMs: 86_400_000,
    publicUrl: 'http://127.0.0.1:4600',
  });
  scope.defer(() => workflows.settled());
  await concurrently(consumerIds, 8, (id) => workflows.start(id));
  scope.defer(() =>
    concurrently(consumerIds, 8, async (id) => {
      await direct.workflow.getHandle(workflowIdOf(id)).terminate('the test is over');
    }),
  );
}, 120_000);
afterAll(() => scope.disposeAsync());

/** Wakes all consumers in a queue of its own; one is served as soon as Temporal has taken its signal. */
function openWaking() {
  const wanting = new Map<string, number>();
  const begun: number[] = [];
  const lines: string[] = [];
  const note = (_given: object, message: string): void => void lines.push(message);
  const queue = createPacedQueue({ isRefusal, log: { warn: note, info: note } as never });
  const underWay: number[] = []; // as each call began, itself included
  const signals = createWakeSignals({
    store: {
      wanting: async () => ({
        toSignal: [...wanting].map(([consumerId, wanted]) => ({ consumerId, wanted })),
        round: new Set(wanting.keys()),
      }),
    },
    signal: async (consumerId, wanted) => {
      begun.push(performance.now());
      underWay.push(queue.reading.underWay + 1);
      await workflows.wake(consumerId, wanted);
      wanting.delete(consumerId);
    },
    queue,
  });
  return {
    queue,
    begun,
    lines,
    underWay,
    wanting,
    wantAll: (position: number) => {
      for (const consumerId of consumerIds) {
        wanting.set(consumerId, position);
        signals.want(consumerId, position);
      }
    },
    sweep: () => signals.sweep(),
  };
}

/** How many signals the histories of all workflows have. */
async function signalled(): Promise<number> {
  let count = 0;
  await concurrently(consumerIds, 8, async (id) => {
    const { events } = await direct.workflow.getHandle(workflowIdOf(id)).fetchHistory();
    count += (events ?? []).filter(
      (event) => event.workflowExecutionSignaledEventAttributes != null,
    ).length;
  });
  return count;
}

test('while Temporal is away it is hardly called, and when it is back each consumer is woken once, without a burst', async () => {
  const { queue, begun, lines, underWay, wanting, wantAll, sweep } = openWaking();
  const begunAt = performance.now();
  wantAll(1);
  await until(() => wanting.size === 0);
  const wellMs = performance.now() - begunAt; // while nothing is away
  expect(await signalled()).toBe(CONSUMERS);
  const { limit } = queue.reading;

  proxy.setAway(true);
  begun.length = 0;
  wantAll(2);
  const awayFrom = performance.now();
  await until(
    async () => {
      await sweep();
      return performance.now() > awayFrom + 4_000;
    },
    { what: 'Temporal has been away for 4 s' },
  );
  process.stderr.write(
    `calls of a Temporal that is away for 4 s: ${begun.length} (limit ${limit})\n`,
  );
  expect(begun.length).toBeLessThanOrEqual(limit + 12);
  expect(begun.filter((at) => at > awayFrom + 2_000).length).toBeLessThanOrEqual(6);
  expect(wanting.size).toBe(CONSUMERS);
  expect(queue.reading.limit).toBe(1);

  proxy.setAway(false);
  underWay.length = 0;
  const backAt = performance.now();
  await until(async () => {
    await sweep();
    return wanting.size === 0;
  });
  const ms = performance.now() - backAt;
  process.stderr.write(`all ${CONSUMERS} woken ${Math.round(ms)} ms after it was back\n`);
  expect(ms).toBeLessThan(12_000 + 10 * wellMs);
  // One at first, and up to what Temporal took before one more with each answer.
  for (const [index, count] of underWay.slice(0, 24).entries()) {
    expect(count).toBeLessThanOrEqual(Math.min(limit, index / 2 + 1));
  }
  expect(await signalled()).toBe(2 * CONSUMERS);
  await until(() => lines.length >= 2);
  expect(lines).toEqual([
    'calls to Temporal fail; they are repeated as fast as Temporal accepts them',
    'Temporal accepts calls again',
  ]);
  await queue.close();
}, 120_000);

test('a call that Temporal refuses for a reason of its own is told apart from a Temporal that is away', async () => {
  const errorOf = (call: Promise<void>): Promise<unknown> =>
    call.then(
      () => null,
      (error: unknown) => error,
    );
  const refused = await errorOf(workflows.wake('x'.repeat(2_000), 1)); // an id that is too long
  expect([refused instanceof Error, isRefusal(refused)]).toEqual([true, true]);
  const [consumerId = ''] = consumerIds;
  proxy.setAway(true);
  const away = await errorOf(workflows.wake(consumerId, 3));
  proxy.setAway(false);
  expect([away instanceof Error, isRefusal(away)]).toEqual([true, false]);
});
