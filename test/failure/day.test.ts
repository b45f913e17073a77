import { describe, expect, test } from 'vitest';

import { smtpMail } from '../../src/alerts/mail.ts';
import { RETRY_SECONDS } from '../../src/rules/retry.ts';
import { openMailServer } from '../support/mailServer.ts';
import { until } from '../support/poll.ts';
import { accept, answer, openReceiver, type TestReceiver } from '../support/receiver.ts';
import { openWorld, someEvents, type World } from '../support/world.ts';

const HOUR_MS = 3_600_000;

/**
 * Lets the server skip what the consumer's workflow waits for, up to so many hours from now. Switched
 * on while an attempt is open: when a timer of the workflow ends, nothing would hold the server from
 * skipping all of it at once, and in the pause between two attempts it starts the next one early.
 */
async function skip(
  world: World,
  consumer: string,
  receiver: TestReceiver,
  { id, hours }: { id: string; hours: number },
): Promise<void> {
  const { respond } = receiver;
  const open: (() => void)[] = [];
  receiver.respond = (received, response) => void open.push(() => respond(received, response));
  await until(() => open.length > 0);
  await world.client.workflowService.updateWorkflowExecutionOptions({
    namespace: 'default',
    workflowExecution: { workflowId: `consumer/${consumer}` },
    workflowExecutionOptions: {
      timeSkippingConfig: {
        enabled: true,
        fastForwardConfig: { id, duration: { seconds: hours * 3_600 } },
      },
    } as object,
    updateMask: { paths: ['time_skipping_config'] },
  });
  receiver.respond = respond;
  for (const go of open) go();
}

const UNSENT = 'select from outbox where sent_at is null and given_up_at is null';

interface Made {
  ended: number;
  next: number | null;
  attempt: number;
}

async function attemptsOf(world: World): Promise<Made[]> {
  const { rows } = await world.db.query<{ ended: string; next: string | null; attempt: number }>(
    `select started_at + duration_ms * interval '1 ms' as ended, next_attempt_at as next, attempt
       from attempts where position = 1 order by attempt`, // the head: others are asked with
  );
  return rows.map(({ ended, next, attempt }) => ({
    ended: Date.parse(ended),
    next: next === null ? null : Date.parse(next),
    attempt,
  }));
}

describe.concurrent('the real window of 24 hours', () => {
  test('an endpoint that is down for the whole 24 hours is tried to the last minute, then its consumer stops, and resume delivers everything', async () => {
    await using smtp = await openMailServer();
    await using world = await openWorld({
      sendMail: smtpMail(smtp.url, 'Millrace <millrace@example.com>'),
    });
    await using receiver = await openReceiver(answer(503));
    const target = await world.target(receiver.url, { max_in_flight: 1 });
    const consumer = await world.consumer(target);
    await world.append.events(someEvents(20, { records: 5 }));
    const { failing_since } = await world.becomes(consumer, 'blocked', 60_000);
    const since = Date.parse(failing_since ?? '');
    await skip(world, consumer, receiver, { id: 'whole-day', hours: 25 });
    const stopped = await world.becomes(consumer, 'stopped', 150_000);
    expect(stopped.position).toBe(0);

    const made = await attemptsOf(world);
    expect(made.length).toBeGreaterThanOrEqual(25);
    const planned = made.map((one) => one.next).filter((next) => next !== null);
    const last = (planned.at(-1) ?? 0) - since;
    expect(last).toBeGreaterThan(24 * HOUR_MS - 60_000);
    expect(last).toBeLessThan(24 * HOUR_MS);
    // Each wait is the published one, 10 % more or less, and what passed on our clock between the
    // attempts beside it; only the last is cut to fit the window.
    const first = made[0]?.ended ?? 0; // nothing was skipped before it
    const waits = planned.map((next, index) => next - (index === 0 ? first : planned[index - 1]!));
    const came = receiver.received.filter((one) => one.position === 1).map((one) => one.at);
    for (const [index, wait] of waits.slice(0, -1).entries()) {
      const seconds = RETRY_SECONDS[Math.min(index, RETRY_SECONDS.length - 1)]!;
      const passed = (came[index + 1]! - came[Math.max(0, index - 1)]!) / 1_000;
      expect(wait / 1_000, `wait ${index + 1}`).toBeGreaterThan(seconds * 0.89 - 0.1);
      expect(wait / 1_000, `wait ${index + 1}`).toBeLessThan(seconds * 1.11 + 0.1 + passed);
    }
    expect(made.map((one) => one.attempt)).toEqual(made.map((_, index) => index + 1));
    expect(made).toHaveLength(receiver.received.filter((one) => one.position === 1).length);
    const stoppedAfter = Date.parse(stopped.updated_at) - since;
    expect(stoppedAfter).toBeGreaterThan(24 * HOUR_MS - 60_000);
    expect(stoppedAfter).toBeLessThan(24 * HOUR_MS + 10_000);
    const { rows: alerts } = await world.db.query<{ kind: string }>(
      'select kind from alerts order by id',
    );
    expect(alerts.map((one) => one.kind)).toEqual(['warning', 'stopped']);

    await until(() => smtp.of('stopped').length > 0, { timeoutMs: 120_000 }); // others may share it
    await until(async () => (await world.db.query(UNSENT)).rows.length === 0);
    // The warning waits a minute for others. Where the day took less than that here, the stop is all that is told.
    const kinds = smtp.mails.map((mail) => mail.headers['x-millrace-alert']);
    expect([['warning', 'stopped'], ['stopped']]).toContainEqual(kinds);

    const tries = receiver.received.length;
    receiver.respond = accept;
    await world.api.request('POST', `/v1/consumers/${consumer}/resume`);
    await world.caughtUp(consumer);
    const positions = receiver.received.slice(tries).map((one) => one.position);
    expect(positions).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  }, 480_000);

  test('an endpoint that is back after 20 hours gets everything within a second of the command retry', async () => {
    await using world = await openWorld();
    await using receiver = await openReceiver(answer(503));
    const consumer = await world.consumer(await world.target(receiver.url));
    await world.append.events(someEvents(20, { records: 5 }));
    const { failing_since } = await world.becomes(consumer, 'blocked', 60_000);
    const since = Date.parse(failing_since ?? '');
    await skip(world, consumer, receiver, { id: 'twenty-hours', hours: 20 });
    const atHour = async () =>
      (Date.parse((await world.get(consumer)).next_attempt_at ?? '') - since) / HOUR_MS;
    await until(async () => (await atHour()) > 20, { timeoutMs: 150_000 });
    expect((await world.get(consumer)).status).toBe('blocked');
    // Several times, as the machine may be slow at one; how slow, the time shows that the command itself takes.
    let quickest = Infinity;
    for (let round = 1; quickest >= 1_000 && round <= 5; round += 1) {
      if (round > 1) {
        receiver.respond = answer(503);
        await world.append.events(someEvents(1));
        await world.becomes(consumer, 'blocked');
      }
      receiver.respond = accept;
      const tries = receiver.received.length;
      const asked = performance.now();
      await world.api.request('POST', `/v1/consumers/${consumer}/retry`);
      const answered = performance.now();
      await until(() => receiver.received.slice(tries).some((one) => one.status === 204));
      const first = receiver.received.slice(tries).find((one) => one.status === 204);
      quickest = Math.min(quickest, (first?.at ?? Infinity) - answered - 4 * (answered - asked));
      await world.becomes(consumer, 'active');
      await world.caughtUp(consumer);
    }
    expect(quickest).toBeLessThan(1_000);
  }, 360_000);

  test('an entry that hangs for the whole 24 hours is tried to the end and becomes a dead letter, and its consumer never stops', async () => {
    await using world = await openWorld({ idleAfterMs: 300 });
    const hangs = (body: string): boolean => body.includes('"n":0}');
    await using receiver = await openReceiver((one, response) => {
      if (!hangs(one.body)) accept(one, response);
    });
    const target = await world.target(receiver.url, { timeout_ms: 2_000, max_in_flight: 4 });
    const consumer = await world.consumer(target);
    const { updated_at } = await world.get(consumer);
    await world.append.events(someEvents(200, { records: 200 }));
    // Only the entry that hangs is left to be sent in the day that is skipped.
    await until(async () => {
      const { parked, position } = await world.get(consumer);
      return parked === 1 && position === 200;
    });
    await skip(world, consumer, receiver, { id: 'hanging-day', hours: 26 });
    const letters = `select attempts, extract(epoch from died_at - parked_at) / 3600 as hours from dead_letters`;
    const dead = () => world.db.query<{ attempts: number; hours: string }>(letters);
    await until(async () => (await dead()).rows.length === 1, { timeoutMs: 240_000 });
    const [letter] = (await dead()).rows;
    expect(letter?.attempts).toBeGreaterThanOrEqual(25);
    expect(Number(letter?.hours)).toBeGreaterThan(23.9);
    expect(Number(letter?.hours)).toBeLessThan(24.1);
    // An answer that a stalled process read too late is repeated.
    const taken = receiver.received.filter((one) => one.status === 204);
    expect(new Set(taken.map((one) => one.position)).size).toBe(199);
    // Each block and each stop would have changed the row.
    expect(await world.get(consumer)).toMatchObject({ status: 'active', parked: 0, updated_at });
  }, 480_000);
});
