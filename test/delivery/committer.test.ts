import pino from 'pino';
import { expect, test } from 'vitest';

import { openDb } from '../../src/db/db.ts';
import { emptyBatch } from '../../src/progress/attemptLog.ts';
import { createCommitter, type Committing } from '../../src/progress/committer.ts';
import { createProgress } from '../../src/progress/progress.ts';
import { openConsumersApi } from '../support/consumers.ts';

const LEASE_MS = 8_000;

test('drains that end at the same moment all have their outcomes stored when their flush is answered', async () => {
  await using opened = await openConsumersApi();
  await using db = openDb({ url: opened.databaseUrl, onError: () => undefined });
  const progress = createProgress(db);
  const log = pino({ level: 'silent' });
  // So long an interval that nothing but a flush stores anything.
  await using committer = createCommitter({ progress, intervalMs: 60_000, leaseMs: LEASE_MS, log });
  const fenced: string[] = [];
  const drains = await Promise.all(
    Array.from({ length: 5 }, async (): Promise<Committing> => {
      const { id: consumerId } = await opened.create();
      const { epoch } = (await progress.acquire(consumerId, 'here', LEASE_MS)) ?? { epoch: 0 };
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
        fenced: () => void fenced.push(consumerId),
        broken: (error) => {
          throw error;
        },
      };
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
