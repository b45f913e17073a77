import { expect, test } from 'vitest';

import { createCommandApplier } from '../../src/consumers/applyCommand.ts';
import { emptyBatch } from '../../src/progress/attemptLog.ts';
import { createProgress } from '../../src/progress/progress.ts';
import type { Command } from '../../src/rules/command.ts';
import { createPages } from '../../src/streams/pages.ts';
import { openConsumersApi } from '../support/consumers.ts';
import { until } from '../support/poll.ts';

const COMMANDS: Command[] = [
  { kind: 'pause' },
  { kind: 'filter', delta: { add: {}, remove: { syncs: ['a'] } } },
  { kind: 'patch', patch: { path: '/elsewhere' } },
  { kind: 'delete' },
];

for (const command of COMMANDS) {
  test(`once ${command.kind} is answered, a sender that was frozen beyond its lease stores and sends nothing more`, async () => {
    await using opened = await openConsumersApi();
    const { db } = opened.api;
    const progress = createProgress(db);
    const edits = createCommandApplier({ db, pages: createPages });
    const { id: consumerId } = await opened.create({ syncs: ['a', 'b'], start: 'beginning' });
    const lease = await progress.acquire(consumerId, 'frozen', 1);
    const epoch = lease?.epoch ?? 0;
    await until(async () => {
      const { rows } = await db.query<{ over: boolean }>(
        'select lease_until < clock_timestamp() as over from cursors',
      );
      return rows[0]?.over;
    });
    const answer = await edits.apply(
      consumerId,
      { editId: 'e', actor: 'test', command },
      new Date(),
    );
    expect(answer.ok).toBe(true);

    // It wakes and, before anything else, wants its lease renewed.
    const outcomes = {
      consumerId,
      epoch,
      position: 3,
      ahead: [],
      batch: emptyBatch(),
      attempts: [],
      parked: null,
    };
    const renewed = await progress.commit([outcomes], 8_000);
    expect([...renewed.keys()]).toEqual([]);
  });
}

test('a rate limit holds across a change of sender, even if the first one did not release its lease', async () => {
  await using opened = await openConsumersApi();
  const progress = createProgress(opened.api.db);
  const { id: consumerId } = await opened.create({ start: 'beginning' });
  const acquire = async (leaseMs: number) => {
    const lease = await progress.acquire(consumerId, 'test', leaseMs);
    return { epoch: lease?.epoch ?? 0, paceMs: (lease?.sendFrom ?? 0) - performance.now() };
  };
  const first = await acquire(60_000);
  expect(first.paceMs).toBeLessThanOrEqual(0);
  const release = { consumerId, idle: false, head: null };
  await progress.release({ ...release, epoch: first.epoch, paceMs: 40_000 });
  const second = await acquire(60_000);
  expect(second.paceMs).toBeGreaterThan(20_000);
  await progress.release({ ...release, epoch: second.epoch }); // it made no request
  const third = await acquire(80_000);
  expect(third.paceMs).toBeGreaterThan(20_000);
  expect(third.paceMs).toBeLessThan(40_000);
  // It dies: what it did until the end of its lease is not known.
  const fourth = await acquire(60_000);
  expect(fourth.paceMs).toBeGreaterThan(60_000);
});

test('a pause is shown only once the sender has confirmed that it starts nothing more, and leaves its lease alone', async () => {
  await using opened = await openConsumersApi();
  const { db } = opened.api;
  const progress = createProgress(db);
  const edits = createCommandApplier({ db, pages: createPages });
  const { id: consumerId } = await opened.create({ start: 'beginning' });
  const { epoch } = (await progress.acquire(consumerId, 'here', 60_000)) ?? { epoch: 0 };
  const asked = { editId: 'e', actor: 'test', command: { kind: 'pause' } as const };
  const answered = edits.apply(consumerId, asked, new Date());
  const held = await until(async () => {
    const { rows } = await db.query<{ version: number }>(
      'select version from consumers where held',
    );
    return rows[0]?.version;
  });
  const before = await db.query('select status from consumers');
  expect(before.rows).toEqual([{ status: 'active' }]);
  const target = { id: consumerId, version: 1 };
  const taken = { version: held, filterVersion: 1, filterFrom: 0, target };
  await progress.confirm({ consumerId, epoch, ...taken });
  const version = held + 1;
  expect(await answered).toEqual({ ok: true, version });
  const after = await db.query('select status, held from consumers');
  expect(after.rows).toEqual([{ status: 'paused', held: false }]);
  const outcomes = {
    consumerId,
    epoch,
    position: 3,
    ahead: [],
    batch: emptyBatch(),
    attempts: [],
    parked: null,
  };
  expect((await progress.commit([outcomes], 8_000)).get(consumerId)).toMatchObject({ version });
});
