import pino from 'pino';
import { expect, test } from 'vitest';

import { openDb } from '../../src/db/db.ts';
import { emptyBatch } from '../../src/progress/attemptLog.ts';
import { createCommitter, type Committing } from '../../src/progress/committer.ts';
import { createProgress, type Progress } from '../../src/progress/progress.ts';
import type { Committed } from '../../src/progress/senderOutcomes.ts';
import { openConsumersApi } from '../support/consumers.ts';
import { PATIENT } from '../support/database.ts';
import { until } from '../support/poll.ts';

const LEASE_MS = 8_000;

/** A sender whose outcomes are always the same. */
function sender(own: Pick<Committing, 'consumerId' | 'fenced'> & { epoch: number }): Committing {
  const { consumerId, epoch, fenced } = own;
  return {
    consumerId,
    toStore: () => ({
      consumerId,
      epoch,
      position: 7,
      ahead: [9],
      batch: emptyBatch(),
      attempts: [],
      parked: null,
    }),
    stored: () => undefined,
    fenced,
    broken: (error) => {
      throw error;
    },
  };
}

test('when several drains end at the same moment, the outcomes of each are stored by the time its flush is answered', async () => {
  await using opened = await openConsumersApi();
  await using db = openDb({ url: opened.databaseUrl, ...PATIENT, onError: () => undefined });
  const progress = createProgress(db);
  const log = pino({ level: 'silent' });
  // So long an interval that nothing but a flush stores anything.
  await using committer = createCommitter({ progress, intervalMs: 60_000, leaseMs: LEASE_MS, log });
  const fenced: string[] = [];
  const drains = await Promise.all(
    Array.from({ length: 5 }, async (): Promise<Committing> => {
      const { id: consumerId } = await opened.create();
      const { epoch } = (await progress.acquire(consumerId, 'here', LEASE_MS)) ?? { epoch: 0 };
      return sender({ consumerId, epoch, fenced: () => void fenced.push(consumerId) });
    }),
  );
  for (const one of drains) committer.join(one);
  const positions = await Promise.all(
    drains.map(async (one) => {
      await committer.flush(one);
      committer.leave(one); // as a drain does once it has let go
      const { rows } = await db.query<{ position: number }>({
        text: 'select position from cursors where consumer_id = $1',
        values: [one.consumerId],
      });
      return rows[0]?.position;
    }),
  );
  expect(positions).toEqual([7, 7, 7, 7, 7]);
  expect(fenced).toEqual([]);
});

test('outcomes that may wait longer are stored together with others that come in time, and otherwise alone', async () => {
  await using opened = await openConsumersApi();
  await using db = openDb({ url: opened.databaseUrl, ...PATIENT, onError: () => undefined });
  const progress = createProgress(db);
  const commits: string[][] = [];
  const counted: Progress = {
    ...progress,
    commit: (outcomes, leaseMs) => {
      commits.push(outcomes.map(({ consumerId }) => consumerId));
      return progress.commit(outcomes, leaseMs);
    },
  };
  const log = pino({ level: 'silent' });
  await using committer = createCommitter({
    progress: counted,
    intervalMs: 10,
    leaseMs: 3_600_000,
    log,
  });
  const [patient, other] = await Promise.all([aSender(), aSender()]);
  committer.join(patient, { withinMs: 500 });
  committer.join(other);
  committer.mark(patient);
  committer.mark(other);
  await until(() => commits.length > 0);
  expect(commits).toEqual([[patient.consumerId, other.consumerId]]);
  const from = performance.now();
  committer.mark(patient);
  await until(() => commits.length > 1);
  expect(performance.now() - from).toBeGreaterThan(490);
  expect(commits[1]).toEqual([patient.consumerId]);

  async function aSender(): Promise<Committing> {
    const { id: consumerId } = await opened.create();
    const { epoch } = (await progress.acquire(consumerId, 'here', LEASE_MS)) ?? { epoch: 0 };
    return sender({ consumerId, epoch, fenced: () => undefined });
  }
});

test('while a commit has had no answer for long, nothing more may be sent; once it is answered, sending continues', async () => {
  const answer = Promise.withResolvers<Map<string, Committed>>();
  const progress = { commit: () => answer.promise } as unknown as Progress; // as when a row is locked
  const log = pino({ level: 'silent' });
  await using committer = createCommitter({ progress, intervalMs: 1, leaseMs: LEASE_MS, log });
  const one = sender({ consumerId: 'one', epoch: 1, fenced: () => undefined });
  committer.join(one);
  committer.mark(one);
  expect(committer.healthy).toBe(true);
  await until(() => !committer.healthy);
  answer.resolve(new Map([['one', { version: 1, targetVersion: 1 }]]));
  await until(() => committer.healthy);
});
