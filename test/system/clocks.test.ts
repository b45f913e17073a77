import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';

import { examine } from '../../src/cli/doctor.ts';
import { choosePort } from '../../src/embedded/state.ts';
import { RETRY_SECONDS } from '../../src/rules/retry.ts';
import type { Target } from '../../src/schema/target.ts';
import { createDatabase } from '../support/database.ts';
import { createFeed } from '../support/feed.ts';
import { until } from '../support/poll.ts';
import { openCluster, type Cluster } from '../support/processes.ts';
import { accept, answer, openReceiver, type Received } from '../support/receiver.ts';

const SHIFTED = new URL('../support/shiftedClock.ts', import.meta.url).href;

interface Stored {
  attempt: number;
  started_at: string;
  next_attempt_at: string | null;
}

function attemptsOf(cluster: Cluster, id: string): Promise<{ data: Stored[] }> {
  return cluster.request('GET', `/v1/consumers/${id}/attempts`);
}

/** Whether a receiver with a right clock takes it by the official library. */
function isTaken(secret: string, { headers, body }: Received): boolean {
  try {
    new Webhook(secret).verify(body, headers as Record<string, string>);
    return true;
  } catch {
    return false;
  }
}

test.concurrent.each([
  { title: '6 minutes ahead', shiftMs: 360_000, says: '360.0 s ahead of' },
  { title: '10 minutes behind', shiftMs: -600_000, says: '600.0 s behind' },
])(
  'a worker whose clock is $title signs, plans and rotates by the clock of Postgres, and says so',
  async ({ shiftMs, says }) => {
    await using database = await createDatabase();
    await using cluster = await openCluster(database.url);
    await using receiver = await openReceiver();
    const metricsPort = await choosePort(undefined);
    await cluster.startServer();
    await cluster.startWorker({
      NODE_OPTIONS: `--import=${SHIFTED}`,
      CLOCK_SHIFT_MS: String(shiftMs),
      MILLRACE_METRICS_PORT: String(metricsPort),
    });
    const feed = createFeed(cluster, 'a');
    const { id, target_id: target } = await cluster.consumer(receiver.url);
    const rotate = (seconds: number): Promise<Target> =>
      cluster.request('POST', `/v1/targets/${target}/rotate-secret`, { expires_in: seconds });
    const next = async (from: number): Promise<Received> => {
      await feed.append(from, from + 1);
      await cluster.caughtUp(id, 60_000);
      return receiver.received.at(-1)!;
    };

    // Its plans, and when its attempts were.
    const { signing_secret: first } = await rotate(0);
    const began = Date.now();
    receiver.respond = (one, response) => (one.attempt === 1 ? answer(503) : accept)(one, response);
    const taken = await next(0);
    expect(Date.now() - began).toBeLessThan(Math.abs(shiftMs) / 2);
    expect(receiver.received.every((one) => isTaken(first, one))).toBe(true);
    expect(taken.attempt).toBe(2);
    const { data } = await attemptsOf(cluster, id);
    for (const one of data) {
      expect(Math.abs(Date.parse(one.started_at) - began)).toBeLessThan(60_000);
      const planned = Date.parse(one.next_attempt_at ?? one.started_at);
      expect(planned - Date.parse(one.started_at)).toBeGreaterThanOrEqual(0);
      expect(planned - Date.parse(one.started_at)).toBeLessThan(30_000);
    }

    // Its signatures while a secret is rotated: the old one signs for five minutes, then for a second.
    const { signing_secret: second } = await rotate(300);
    let sent = 1;
    const both = await until(async () => {
      const one = await next(sent++); // a running sender takes a rotation a moment after its answer
      return isTaken(second, one) && one;
    });
    expect(isTaken(first, both)).toBe(true);
    const { signing_secret: third } = await rotate(1);
    const over = Date.now() + 1_500;
    await until(() => Date.now() > over);
    const only = await next(sent);
    expect([isTaken(second, only), isTaken(third, only)]).toEqual([false, true]);

    // Who is told.
    const { notes } = await cluster.request<{ notes: string[] }>('GET', '/readyz');
    expect(notes).toEqual([`The clock of a worker is ${says} that of Postgres`]);
    const findings = await examine({ env: { ...cluster.env, ...cluster.api } });
    const clocks = findings.filter(({ name }) => name.startsWith('Clock of worker'));
    expect(clocks).toMatchObject([{ status: 'warn', detail: expect.stringContaining(says) }]);
    const text = await fetch(`http://127.0.0.1:${metricsPort}/metrics`).then((one) => one.text());
    const [, offset] = /^millrace_clock_offset_seconds (\S+)$/mu.exec(text) ?? [];
    expect(Math.round(Number(offset))).toBe(shiftMs / 1_000);
  },
  180_000,
);

test.concurrent('an attempt that a frozen worker makes late plans the next one from its own time', async () => {
  await using database = await createDatabase();
  await using cluster = await openCluster(database.url);
  await using receiver = await openReceiver(answer(503));
  await cluster.startServer();
  const worker = await cluster.startWorker();
  await createFeed(cluster, 'a').append(0, 1);
  const { id } = await cluster.consumer(receiver.url);
  const attempt = (number: number): Promise<Stored> =>
    until(
      async () => {
        const { data } = await attemptsOf(cluster, id);
        return data.find((one) => one.attempt === number);
      },
      { timeoutMs: 90_000, what: `attempt ${number} is stored` },
    );
  // Frozen before an attempt that is planned, until after the one that would follow it by the schedule.
  const before = await until(
    async () => {
      const [newest] = (await attemptsOf(cluster, id)).data;
      const leftMs = Date.parse(newest?.next_attempt_at ?? '') - Date.now();
      return leftMs > 3_500 && newest;
    },
    { timeoutMs: 90_000, what: 'an attempt is planned in some seconds' },
  );
  const planned = Date.parse(before.next_attempt_at ?? '');
  await until(() => Date.now() > planned - 2_500);
  process.kill(worker.pid, 'SIGSTOP');
  const woken = planned + RETRY_SECONDS[before.attempt]! * 1_100 + 2_000;
  try {
    await until(() => Date.now() > woken, { timeoutMs: 90_000 });
  } finally {
    process.kill(worker.pid, 'SIGCONT');
  }
  const late = await attempt(before.attempt + 1);
  expect(Date.parse(late.started_at)).toBeGreaterThan(woken - 50);
  expect(Date.parse(late.next_attempt_at ?? '')).toBeGreaterThan(Date.parse(late.started_at));
}, 180_000);
