// what a command refers to may go while the command waits for its turn
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { unstartedConsumers } from '../../src/consumers/consumerRows.ts';
import { isRefusedForGood } from '../../src/db/errors.ts';
import type { Answer } from '../support/app.ts';
import { until } from '../support/poll.ts';
import { openReceiver, type TestReceiver } from '../support/receiver.ts';
import { openWorld, type World } from '../support/world.ts';

let world: World;
let receiver: TestReceiver;
let target: string;

beforeAll(async () => {
  world = await openWorld();
  receiver = await openReceiver();
  target = await world.target(receiver.url);
});

afterAll(async () => {
  await receiver[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
});

interface Raced {
  answer: Answer;
  /** That of a pause which was given right behind. */
  behind: Answer;
}

/** How often each command of a consumer was tried. */
async function triesOf(consumer: string): Promise<number[]> {
  const { events } = await world.handle(consumer).fetchHistory();
  const applied = (events ?? []).flatMap(
    ({ eventId, activityTaskScheduledEventAttributes: scheduled }) =>
      scheduled?.activityType?.name === 'apply' ? [String(eventId)] : [],
  );
  return (events ?? []).flatMap(({ activityTaskStartedEventAttributes: started }) =>
    started != null && applied.includes(String(started.scheduledEventId))
      ? [started.attempt ?? 0]
      : [],
  );
}

/** Does `meanwhile` after the route has checked a command and before the command is applied. */
async function race(
  consumer: string,
  patch: object,
  meanwhile: () => Promise<unknown>,
): Promise<Raced> {
  const path = `/v1/consumers/${consumer}`;
  let given: Promise<Answer> | undefined;
  let behind: Promise<Answer> | undefined;
  // Its workflow notes in the row that it runs, which would wait for the lock as well.
  await until(async () => (await unstartedConsumers(world.db, 1)).length === 0);
  await world.db.transaction(async (tx) => {
    await tx.query({ text: 'select from consumers where id = $1 for update', values: [consumer] });
    given = world.api.request('PATCH', path, patch);
    await until(async () => {
      const { rows } = await world.db.query(
        `select from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock' and query like '%for update of k, c%'`,
      );
      return rows.length > 0;
    });
    behind = world.api.request('POST', `${path}/pause`);
    await meanwhile();
  });
  const [answer, next] = [await given!, await behind!];
  expect(new Set(await triesOf(consumer))).toEqual(new Set([1]));
  return { answer, behind: next };
}

describe('a command is refused immediately, and the next one gets its turn, when', () => {
  test('the target that it names is deleted meanwhile', async () => {
    const consumer = await world.consumer(target);
    const other = await world.target(receiver.url);
    const { answer, behind } = await race(consumer, { target_id: other }, async () => {
      expect((await world.api.request('DELETE', `/v1/targets/${other}`)).status).toBe(204);
    });
    expect([answer.status, answer.body.code]).toEqual([422, 'invalid_request']);
    expect(answer.body.detail).toContain(other);
    expect([behind.status, behind.body.status]).toEqual([200, 'paused']);
    expect((await world.get(consumer)).target_id).toBe(target);
  });

  test('the stored part of a large command is gone', async () => {
    const consumer = await world.consumer(target);
    const metadata = { text: 'x'.repeat(10_000) };
    const { answer, behind } = await race(consumer, { metadata }, () =>
      world.db.query('delete from stored_edits'),
    );
    expect([answer.status, answer.body.code]).toEqual([409, 'command_gone']);
    expect(behind.body.status).toBe('paused');
  });

  test('a constraint of Postgres forbids it', async () => {
    const consumer = await world.consumer(target);
    await world.db.query(
      `alter table consumers add constraint forbids check (name <> 'forbidden') not valid`,
    );
    const { answer, behind } = await race(consumer, { name: 'forbidden' }, async () => undefined);
    expect([answer.status, answer.body.code]).toEqual([409, 'conflict']);
    expect(behind.body.status).toBe('paused');
  });
});

test.each<[string, string, boolean]>([
  ['23503', 'violates foreign key constraint', true],
  ['23505', 'duplicate key value', true],
  ['23514', 'violates check constraint', true],
  ['23514', 'no partition of relation "attempts" found for row', false],
  ['22P05', 'unsupported Unicode escape sequence', true],
  ['40001', 'could not serialize access', false],
  ['08006', 'connection failure', false],
  ['42P01', 'relation does not exist', false],
])('whether %s (%s) is refused for good: %s', (code, message, expected) => {
  expect(isRefusedForGood(Object.assign(new Error(message), { code }))).toBe(expected);
});
