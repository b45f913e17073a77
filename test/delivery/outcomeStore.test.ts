import { describe, expect, test } from 'vitest';

import { emptyBatch } from '../../src/progress/attemptLog.ts';
import { createOutcomeStore } from '../../src/progress/outcomeStore.ts';
import type { SenderOutcomes } from '../../src/progress/senderOutcomes.ts';
import { storeUntilBack } from '../../src/progress/storeUntilBack.ts';
import { until } from '../support/poll.ts';
import { silent } from '../support/streams.ts';

const AWAY = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const WRONG = Object.assign(new Error('value out of range'), { code: '22003' });

/** Fails with these, one after another, then answers. */
function failingWith(...errors: Error[]): () => Promise<string> {
  return async () => {
    const error = errors.shift();
    if (error !== undefined) throw error;
    return 'stored';
  };
}

describe('storeUntilBack', () => {
  test('tries again while Postgres is away, and returns when the try that succeeded began', async () => {
    const seen: string[] = [];
    const began = performance.now();
    const { answer, sentAt } = await storeUntilBack(failingWith(AWAY, AWAY), {
      givesUp: () => false,
      away: ({ message }) => void seen.push(message),
    });
    expect(answer).toBe('stored');
    expect(seen).toEqual([AWAY.message, AWAY.message]);
    // Later than the pauses after the first two: what failed renewed no lease.
    expect(sentAt - began).toBeGreaterThan(290);
  });

  test('throws the last error when its caller gives up, which is asked with the time at which the failed try began', async () => {
    const asked: number[] = [];
    const patience = { givesUp: (sentAt: number) => asked.push(sentAt) === 2 };
    await expect(storeUntilBack(failingWith(AWAY, AWAY, WRONG), patience)).rejects.toBe(AWAY);
    expect(asked[1]).toBeGreaterThan((asked[0] ?? 0) + 90);
  });

  test('does not repeat a try whose error will not pass by itself', async () => {
    const patience = {
      givesUp: () => {
        throw new Error('it was asked whether to give up');
      },
    };
    await expect(storeUntilBack(failingWith(WRONG), patience)).rejects.toBe(WRONG);
  });
});

describe('createOutcomeStore', () => {
  const names = ['a', 'b', 'c'];

  /** Senders that hand over at the same moment, three unless given; `commit` is what Postgres does. */
  function open(commit: (rows: SenderOutcomes[]) => Promise<string[]>, ids: string[] = names) {
    const told: string[] = [];
    const store = createOutcomeStore<{ broken(error: Error): void }>({
      progress: {
        commit: async (rows) => {
          const stored = await commit(rows);
          return new Map(stored.map((one) => [one, { version: 1, targetVersion: 1 }]));
        },
      },
      leaseMs: 8_000,
      stored: (sender, committed) =>
        void told.push(`${nameOf.get(sender)} ${committed === undefined ? 'fenced' : 'stored'}`),
      log: silent,
    });
    const nameOf = new Map<object, string>();
    const batch = ids.map((consumerId) => {
      const sender = { broken: (error: Error) => void told.push(`${consumerId} ${error.message}`) };
      nameOf.set(sender, consumerId);
      return { sender, outcomes: outcomesOf(consumerId) };
    });
    return { store, batch, told };
  }

  function outcomesOf(consumerId: string): SenderOutcomes {
    const parts = { position: 1, ahead: [], batch: emptyBatch(), attempts: [], parked: null };
    return { consumerId, epoch: 1, ...parts };
  }

  test('outcomes that cannot be stored do not hold up others', async () => {
    const { store, batch, told } = open(async (rows) => {
      if (rows.some(({ consumerId }) => consumerId === 'b')) throw WRONG;
      return rows.map(({ consumerId }) => consumerId);
    });
    await store.store(batch);
    expect(told).toEqual(['a stored', `b ${WRONG.message}`, 'c stored']);
    expect([...store.unstored]).toEqual([]);
  });

  test('one among a thousand that cannot be stored is found by some twenty commits', async () => {
    const ids = Array.from({ length: 1_000 }, (_, number) => `c${number}`);
    let commits = 0;
    const commit = async (rows: SenderOutcomes[]): Promise<string[]> => {
      commits += 1;
      if (rows.some(({ consumerId }) => consumerId === 'c600')) throw WRONG;
      return rows.map(({ consumerId }) => consumerId);
    };
    const { store, batch, told } = open(commit, ids);
    await store.store(batch);
    expect(told.filter((one) => one.endsWith('stored'))).toHaveLength(999);
    expect(told).toContain(`c600 ${WRONG.message}`);
    expect(commits).toBeLessThan(25);
  });

  test('a sender that is missing in the answer of a commit is fenced', async () => {
    const { store, batch, told } = open(async () => ['a', 'c']);
    await store.store(batch);
    expect(told).toEqual(['a stored', 'b fenced', 'c stored']);
  });

  test('is not healthy while Postgres is away, and keeps the outcomes it was given until Postgres is back', async () => {
    const { promise: back, resolve: comeBack } = Promise.withResolvers<void>();
    let tries = 0;
    const { store, batch, told } = open(async (rows) => {
      tries += 1;
      if (tries === 1) throw AWAY;
      await back;
      return rows.map(({ consumerId }) => consumerId);
    });
    const storing = store.store(batch);
    await until(() => tries === 2);
    expect([store.healthy, told]).toEqual([false, []]);
    comeBack();
    await storing;
    expect(store.healthy).toBe(true);
    expect(told).toEqual(['a stored', 'b stored', 'c stored']);
  });

  test('when the process has to end while Postgres is away, gives up the outcomes and names their consumers', async () => {
    const { store, batch, told } = open(() => Promise.reject(AWAY));
    const storing = store.store(batch);
    store.endBy(performance.now() + 50);
    await storing;
    expect([...store.unstored]).toEqual(names);
    expect(told).toEqual(names.map((name) => `${name} ${AWAY.message}`));
  });
});
