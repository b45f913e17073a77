import { expect, test } from 'vitest';

import { readLastAnswers } from '../../src/alerts/lastAnswers.ts';
import { emptyBatch } from '../../src/progress/attemptLog.ts';
import { createProgress } from '../../src/progress/progress.ts';
import { openConsumersApi } from '../support/consumers.ts';

test('the last answer to a batch is known, whichever of its entries has it', async () => {
  await using opened = await openConsumersApi();
  const { db } = opened.api;
  const progress = createProgress(db);
  const { id } = await opened.create();
  const lease = await progress.acquire(id, 'here', 60_000);
  const startedAt = Date.now();
  const row = (position: number, responseHead: string | null) => ({
    position,
    messageId: 'batch_a',
    eventId: `e${position}`,
    batchSize: 20,
    attempt: 1,
    startedAt,
    durationMs: 1,
    outcome: 'failed' as const,
    status: 503,
    errorCode: 'HTTP_5XX' as const,
    responseHead,
    nextAttemptAt: null,
    trace: null,
  });
  const failure = { code: 'HTTP_5XX', status: 503, detail: 'HTTP 503', at: '' } as const;
  const attempts = Array.from({ length: 20 }, (_, n) => row(n + 1, n === 0 ? 'we are away' : null));
  const none = { position: 0, ahead: [], batch: emptyBatch(), parked: null };
  const epoch = lease?.epoch ?? 0;
  await progress.commit([{ ...none, consumerId: id, epoch, attempts }], 60_000);
  await db.query({
    text: 'update cursors set head = 1, last_failure = $2 where consumer_id = $1',
    values: [id, JSON.stringify(failure)],
  });
  expect(await readLastAnswers(db, [id])).toEqual(new Map([[id, 'we are away']]));
});
