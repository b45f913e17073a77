import { batchId } from '../../src/delivery/batchMessage.ts';
import { createAttemptLog, emptyBatch, type EndedAttempt } from '../../src/progress/attemptLog.ts';
import { createProgress } from '../../src/progress/progress.ts';
import type { Delivered, Failed } from '../../src/rules/outcome.ts';
import type { AttemptTrace } from '../../src/schema/attemptTrace.ts';
import type { ConsumersApi } from './consumers.ts';

const TRACE = {} as unknown as AttemptTrace; // it is stored, and nobody reads it
export const DELIVERED: Delivered = { kind: 'delivered', status: 204, responseHead: null };
/** A success of which a trace is kept, so that it has a row. */
export const TRACED: Delivered = { ...DELIVERED, trace: TRACE };
export const REFUSED: Failed = {
  kind: 'failed',
  code: 'HTTP_5XX',
  status: 500,
  detail: 'HTTP 500',
  responseHead: 'no',
  retryAfter: undefined,
};

/** A consumer that has a sender, which stores what it has sent as a drain does. */
export interface BatchSender {
  id: string;
  /**
   * Stores how entries at these positions ended that were sent with one request at that time (unix ms); returns its
   * `webhook-id`. Entries without an outcome are not stored.
   */
  sent(positions: number[], at: number, outcomes: (Delivered | Failed)[]): Promise<string>;
}

/** Creates a consumer with a sender. */
export async function createBatchSender(
  { api, create }: ConsumersApi,
  name: string,
): Promise<BatchSender> {
  const { id } = (await create({ name })) as { id: string };
  const progress = createProgress(api.db);
  const lease = await progress.acquire(id, 'here', 60_000);
  if (lease === null) throw new Error(`the consumer ${id} has another sender`);
  const log = createAttemptLog({ stream: 'events', retryWindowMs: 1, now: Date.now, stretch: 1 });
  const attempts = new Map<number, number>();
  return {
    id,
    sent: async (positions, at, outcomes) => {
      const members = positions.map((position) => ({ position, messageId: `m${position}` }));
      const sentWith = { id: batchId(id, members), size: positions.length };
      for (const [index, outcome] of outcomes.entries()) {
        const member = members[index];
        if (member === undefined) throw new Error('there are more outcomes than entries');
        const attempt = (attempts.get(member.position) ?? 0) + 1;
        attempts.set(member.position, attempt);
        const ended: EndedAttempt = { ...member, attempt, startedAt: at, durationMs: 9, sentWith };
        if (outcome.kind === 'delivered') log.delivered(ended, outcome);
        else log.failed(ended, outcome, null);
      }
      const none = { position: 0, ahead: [], batch: emptyBatch(), attempts: [], parked: null };
      const all = { ...none, ...log.toStore(), consumerId: id, epoch: lease.epoch };
      const stored = await progress.commit([all], 60_000);
      if (!stored.has(id)) throw new Error(`the consumer ${id} has another sender by now`);
      return sentWith.id;
    },
  };
}
