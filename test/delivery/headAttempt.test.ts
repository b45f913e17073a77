import { describe, expect, test } from 'vitest';

import { createCommandApplier } from '../../src/consumers/applyCommand.ts';
import { createBudget } from '../../src/flow/budget.ts';
import { createPages } from '../../src/streams/pages.ts';
import { HOLDER, openBlockedConsumer, WINDOW_MS } from '../support/blocked.ts';
import { answerAt, failedHead, sent } from '../support/headResults.ts';
import { until } from '../support/poll.ts';
import { accept, answer } from '../support/receiver.ts';

describe('an answer of the head', () => {
  test('2xx settles it, and the lease is released without a failing head', async () => {
    await using blocked = await openBlockedConsumer(accept);
    await blocked.api.setCursor(blocked.consumerId, 'head = 1, attempt = 4, tries = 2');
    expect(await blocked.attempt()).toEqual({ outcome: 'delivered', position: 0 });
    expect(sent(blocked.receiver)).toEqual(['1#5']);
    expect(await blocked.cursor()).toMatchObject({
      position: 1,
      ahead: [],
      holder: null,
      head: null,
      attempt: 0,
      tries: 0,
      next_attempt_at: null,
    });
    expect(await blocked.attempts()).toMatchObject([
      { position: 1, attempt: 5, outcome: 'delivered', status: 204, next_attempt_at: null },
    ]);
  });

  test('a failure of the endpoint is returned as a result, and the next attempt is planned by the table', async () => {
    await using blocked = await openBlockedConsumer(answer(429));
    const from = `schedule_from = now() - interval '45 seconds'`;
    const set = performance.now();
    await blocked.api.setCursor(
      blocked.consumerId,
      `head = 1, attempt = 7, tries = 9, ${from}, schedule_again_from = null`,
    );
    const began = Date.now();
    const result = failedHead(await blocked.attempt());
    const tookMs = performance.now() - set;
    const { host } = new URL(blocked.receiver.url);
    expect(result).toMatchObject({ host, position: 1, attempt: 8 });
    expect(result.failure).toMatchObject({ code: 'THROTTLED', status: 429, detail: 'HTTP 429' });
    // The time after 75.5 s, 10 % more or less; how often it was tried counts for nothing.
    expect(result.delayMs).toBeGreaterThanOrEqual(75_500 * 0.9 - 45_000 - tookMs);
    expect(result.delayMs).toBeLessThanOrEqual(75_500 * 1.1 - 45_000);
    expect(result.nextAttemptAt).toBeGreaterThanOrEqual(began + (result.delayMs ?? 0));
    const cursor = await blocked.cursor();
    expect(cursor).toMatchObject({
      position: 0,
      holder: null,
      head: 1,
      attempt: 8,
      tries: 10,
      asked_until: null,
      last_failure: result.failure,
    });
    expect(Date.parse(cursor.next_attempt_at ?? '')).toBe(Math.trunc(result.nextAttemptAt ?? 0));
    const [stored] = await blocked.attempts();
    expect(stored).toMatchObject({ position: 1, attempt: 8, outcome: 'failed', status: 429 });
    expect(stored?.next_attempt_at).toBe(cursor.next_attempt_at);
  });

  test('Retry-After is followed exactly, stored as the requested wait, and leads to no probe', async () => {
    await using blocked = await openBlockedConsumer(answer(503, { 'retry-after': '40' }));
    const result = failedHead(await blocked.attempt());
    expect(result.delayMs).toBe(40_000);
    expect(sent(blocked.receiver)).toEqual(['1#1']);
    const cursor = await blocked.cursor();
    expect(cursor.asked_until).not.toBeNull();
    expect(cursor.asked_until).toBe(cursor.next_attempt_at);
    expect(cursor.schedule_again_from).toBe(cursor.asked_until);
  });

  test('a failure that an older version stored counts from the beginning of the window', async () => {
    await using blocked = await openBlockedConsumer(answer(429));
    await blocked.api.setCursor(blocked.consumerId, 'head = 1, attempt = 7, tries = 4');
    const remainingMs = (): number => WINDOW_MS - 900_000;
    const result = failedHead(await blocked.attempt({ schedule: { remainingMs } }));
    const { schedule_from } = await blocked.cursor();
    const since = Date.now() - Date.parse(schedule_from ?? '');
    expect(since).toBeGreaterThanOrEqual(900_000);
    expect(since).toBeLessThan(930_000);
    expect(result.delayMs).toBeGreaterThanOrEqual(1_275_500 * 0.9 - 930_000);
    expect(result.delayMs).toBeLessThanOrEqual(1_275_500 * 1.1 - 900_000);
  });

  test('the head is not tried while no memory is left', async () => {
    await using blocked = await openBlockedConsumer(accept);
    const { bytes } = createBudget({ requests: 1, bytes: 1_000 });
    bytes.take(1_000);
    const { budget } = blocked.context;
    const looks: number[] = [];
    const room = (held: number): number => {
      looks.push(blocked.receiver.received.length);
      if (looks.length === 3) bytes.take(-1);
      return bytes.room(held);
    };
    const attempt = blocked.attempt({
      context: { budget: { ...budget, bytes: { ...bytes, room } } },
    });
    expect(await attempt).toMatchObject({ outcome: 'delivered' });
    expect(looks).toEqual([0, 0, 0]);
    expect(sent(blocked.receiver)).toEqual(['1#1']);
  });

  test('after 410 no attempt is planned', async () => {
    await using blocked = await openBlockedConsumer(answer(410));
    expect(await blocked.attempt()).toEqual({ outcome: 'gone', position: 0 });
    expect(sent(blocked.receiver)).toEqual(['1#1']);
    expect(await blocked.cursor()).toMatchObject({
      holder: null,
      head: 1,
      next_attempt_at: null,
      last_failure: { code: 'GONE' },
    });
  });

  const lastOnes = [
    { title: 'the last attempt', schedule: { isLast: true } },
    { title: 'an attempt in the last minute of a window', schedule: { remainingMs: () => 59_000 } },
  ];
  test.each(lastOnes)('$title is followed by no other, even if asked', async ({ schedule }) => {
    await using blocked = await openBlockedConsumer(answer(503, { 'retry-after': '40' }));
    const result = failedHead(await blocked.attempt({ schedule }));
    expect(result).toMatchObject({ delayMs: null, nextAttemptAt: null });
    const unplanned = { head: 1, tries: 1, next_attempt_at: null, asked_until: null };
    expect(await blocked.cursor()).toMatchObject(unplanned);
    expect(await blocked.attempts()).toMatchObject([{ next_attempt_at: null }]);
  });

  test('a fault of this machine is not a failure of the endpoint: the attempt throws and leaves the head as it was', async () => {
    await using blocked = await openBlockedConsumer(accept);
    await blocked.api.setCursor(blocked.consumerId, 'head = 1, attempt = 4, tries = 2');
    const attempt = blocked.attempt({
      openSingle: (config, onEnd) => blocked.openSingle(config, onEnd, () => 0),
    });
    await expect(attempt).rejects.toThrow('a fault of this machine: the lease ended');
    expect(blocked.receiver.received).toEqual([]);
    expect(await blocked.attempts()).toEqual([]);
    const kept = { position: 0, holder: null, head: 1, attempt: 4, tries: 2 };
    expect(await blocked.cursor()).toMatchObject(kept);
  });
});

describe('a probe', () => {
  test('that is accepted is evidence against the head, which is tried once more and parked', async () => {
    await using blocked = await openBlockedConsumer(answerAt({ 1: 422 }));
    expect(await blocked.attempt()).toEqual({ outcome: 'parked', position: 0 });
    expect(sent(blocked.receiver)).toEqual(['1#1', '2#1', '1#2']);
    expect(await blocked.parked()).toEqual([1]);
    const settled = { position: 2, ahead: [], holder: null, head: null, tries: 0, attempt: 0 };
    expect(await blocked.cursor()).toMatchObject(settled);
    expect(await blocked.attempts()).toMatchObject([
      { position: 1, attempt: 1, outcome: 'failed', next_attempt_at: null },
      { position: 1, attempt: 2, outcome: 'failed', next_attempt_at: null },
      { position: 2, attempt: 1, outcome: 'delivered' },
    ]);
  });

  test('after which the head is accepted clears the endpoint and parks nothing', async () => {
    await using blocked = await openBlockedConsumer((one, response) =>
      answer(one.position === 1 && one.attempt === 1 ? 500 : 204)(one, response),
    );
    expect(await blocked.attempt()).toEqual({ outcome: 'delivered', position: 0 });
    expect(sent(blocked.receiver)).toEqual(['1#1', '2#1', '1#2']);
    expect(await blocked.parked()).toEqual([]);
    expect(await blocked.cursor()).toMatchObject({ position: 2, head: null });
  });

  test('after which the head finds the endpoint down counts as a failure of the endpoint, and parks nothing', async () => {
    await using blocked = await openBlockedConsumer((one, response) => {
      if (one.attempt === 2) answer(429)(one, response);
      else answerAt({ 1: 422 })(one, response);
    });
    const result = failedHead(await blocked.attempt());
    expect(result).toMatchObject({ position: 1, attempt: 2, failure: { code: 'THROTTLED' } });
    expect(await blocked.parked()).toEqual([]);
    // What the probe has delivered stays so.
    expect(await blocked.cursor()).toMatchObject({ position: 0, ahead: [2], head: 1, attempt: 2 });
  });

  test('that fails keeps the consumer blocked and parks nothing', async () => {
    await using blocked = await openBlockedConsumer(answer(422));
    const result = failedHead(await blocked.attempt());
    expect(result).toMatchObject({ position: 1, attempt: 1, failure: { code: 'HTTP_4XX' } });
    expect(sent(blocked.receiver)).toEqual(['1#1', '2#1']);
    expect(await blocked.parked()).toEqual([]);
    expect(await blocked.cursor()).toMatchObject({ position: 0, ahead: [], head: 1, tries: 1 });
    const [head, probe] = await blocked.attempts();
    expect(head).toMatchObject({ position: 1, status: 422 });
    expect(head?.next_attempt_at).not.toBeNull();
    expect(probe).toMatchObject({ position: 2, status: 422, next_attempt_at: null });
  });

  test('whose answer asks to wait holds back the head', async () => {
    await using blocked = await openBlockedConsumer((one, response) => {
      if (one.position === 1) answer(500)(one, response);
      else answer(429, { 'retry-after': '60' })(one, response);
    });
    expect(failedHead(await blocked.attempt()).delayMs).toBe(60_000);
    const cursor = await blocked.cursor();
    expect(cursor.asked_until).toBe(cursor.next_attempt_at);
  });

  test('that is answered 410 ends all sending', async () => {
    await using blocked = await openBlockedConsumer(answerAt({ 1: 500, 2: 410 }));
    expect(await blocked.attempt()).toEqual({ outcome: 'gone', position: 0 });
    expect(await blocked.cursor()).toMatchObject({ head: 1, next_attempt_at: null });
  });

  test('is another entry each time', async () => {
    await using blocked = await openBlockedConsumer(answer(500), { events: 6 });
    for (let tries = 0; tries < 3; tries += 1) await blocked.attempt();
    const probed = blocked.receiver.received.filter((one) => one.position !== 1);
    expect(new Set(probed.map((one) => one.position)).size).toBe(3);
  });

  const unprobed = [
    { title: 'no other record waits', events: 1, consumer: {} },
    { title: 'the order of the stream is kept', events: 3, consumer: { ordering: 'stream' } },
  ];
  test.each(unprobed)('is not made, and nothing is parked, where $title', async (setup) => {
    await using blocked = await openBlockedConsumer(answer(422), setup);
    expect(failedHead(await blocked.attempt()).failure.code).toBe('HTTP_4XX');
    expect(sent(blocked.receiver)).toEqual(['1#1']);
    expect(await blocked.parked()).toEqual([]);
    expect(await blocked.cursor()).toMatchObject({ position: 0, ahead: [], head: 1 });
  });

  test('on the records stream does not park a version that was superseded meanwhile: the newest one is tried', async () => {
    await using blocked = await openBlockedConsumer(accept, {
      events: 0,
      consumer: { stream: 'records' },
    });
    const put = async (upstream_id: string, name: string): Promise<void> => {
      const record = { sync_id: 's', collection_id: 'a:b', upstream_id, data: { name } };
      await blocked.api.api.request('POST', '/v1/records', { records: [record] });
    };
    await put('a', 'bad');
    await put('b', 'good');
    blocked.receiver.respond = (one, response) => {
      if (one.body.includes('"bad"')) response.writeHead(422).end();
      else if (one.position === 2) void put('a', 'better').then(() => accept(one, response));
      else accept(one, response);
    };
    expect(await blocked.attempt()).toEqual({ outcome: 'delivered', position: 0 });
    expect(sent(blocked.receiver)).toEqual(['1#1', '2#1', '3#1']);
    expect(await blocked.parked()).toEqual([]);
  });
});

describe('changes while an attempt is made', () => {
  test('after a pause between look-up and request, no request is made', async () => {
    await using blocked = await openBlockedConsumer(accept);
    const { consumerId, context } = blocked;
    const { db } = blocked.api.api;
    const commands = createCommandApplier({ db, pages: createPages });
    const request = { editId: 'e', actor: 'test', command: { kind: 'pause' as const } };
    const read: typeof context.pages.read = async (page) => {
      const found = await context.pages.read(page);
      expect(await commands.apply(consumerId, request, new Date())).toMatchObject({ ok: true });
      return found;
    };
    const pages = { ...context.pages, read };
    expect(await blocked.attempt({ context: { pages } })).toMatchObject({ outcome: 'changed' });
    expect(blocked.receiver.received).toEqual([]);
    expect((await blocked.cursor()).holder).toBeNull();
  });

  test('after a change of the target between look-up and request, the request goes to the new URL', async () => {
    await using blocked = await openBlockedConsumer(accept);
    const { context, api } = blocked;
    let changed = false;
    const read: typeof context.pages.read = async (page) => {
      const found = await context.pages.read(page);
      const base_url = `${blocked.receiver.url}/new`;
      if (!changed) await api.api.request('PATCH', `/v1/targets/${api.targetId}`, { base_url });
      changed = true;
      return found;
    };
    const pages = { ...context.pages, read };
    expect(await blocked.attempt({ context: { pages } })).toMatchObject({ outcome: 'delivered' });
    expect(blocked.receiver.received.map((one) => one.path)).toEqual(['/hook/new']);
  });

  test('a look-up of the row that took too long is repeated, and nothing is sent unless one is quick enough', async () => {
    await using blocked = await openBlockedConsumer(accept);
    const attempt = blocked.attempt({ sendWithinMs: 0 });
    await expect(attempt).rejects.toThrow('Postgres answers too slowly to send');
    expect(blocked.receiver.received).toEqual([]);
  });

  test('a retry that was planned for a window of another length is abandoned without taking the lease; a first attempt is not', async () => {
    await using blocked = await openBlockedConsumer(accept);
    const windowMs = WINDOW_MS / 2;
    const retry = await blocked.attempt({ windowMs, schedule: { isFirst: false } });
    expect(retry).toEqual({ outcome: 'changed', position: 0 });
    const { rows } = await blocked.api.api.db.query('select from cursors where epoch = 0');
    expect(rows).toHaveLength(1);
    expect(await blocked.attempt({ windowMs })).toMatchObject({ outcome: 'delivered' });
  });

  test('when another sender takes the cursor during the request, nothing of the request is stored', async () => {
    await using blocked = await openBlockedConsumer((one, response) => {
      const { progress } = blocked.context;
      const taking = progress.acquire(blocked.consumerId, 'another', 60_000);
      void taking.then(() => accept(one, response));
    });
    await expect(blocked.attempt()).rejects.toThrow('another sender has taken the cursor');
    expect(await blocked.cursor()).toMatchObject({ position: 0, holder: 'another' });
    expect(await blocked.attempts()).toEqual([]);
  });
});

describe('when the attempt is cancelled', () => {
  test('before it begins, nothing is sent and the lease is released', async () => {
    await using blocked = await openBlockedConsumer(accept);
    const cancelled = AbortSignal.abort();
    const result = await blocked.attempt({ schedule: { cancelled } });
    expect(result).toEqual({ outcome: 'changed', position: 0 });
    expect(blocked.receiver.received).toEqual([]);
    expect((await blocked.cursor()).holder).toBeNull();
  });

  test('while it waits for its turn under a rate limit, nothing is sent and the lease is released', async () => {
    await using blocked = await openBlockedConsumer(accept);
    const { api, consumerId } = blocked;
    await api.api.request('PATCH', `/v1/targets/${api.targetId}`, { rate_limit: 1 });
    await api.setCursor(consumerId, `paced_until = now() + interval '1 hour', idle = false`);
    const controller = new AbortController();
    const attempt = blocked.attempt({ schedule: { cancelled: controller.signal } });
    await until(async () => (await blocked.cursor()).holder === HOLDER);
    controller.abort();
    expect(await attempt).toMatchObject({ outcome: 'changed' });
    expect(blocked.receiver.received).toEqual([]);
    expect((await blocked.cursor()).holder).toBeNull();
  });

  test('while its request is open, its outcome is stored', async () => {
    const controller = new AbortController();
    await using blocked = await openBlockedConsumer((one, response) => {
      controller.abort();
      accept(one, response);
    });
    const result = await blocked.attempt({ schedule: { cancelled: controller.signal } });
    expect(result).toMatchObject({ outcome: 'delivered' });
    expect(await blocked.cursor()).toMatchObject({ position: 1, holder: null });
  });

  test('before a probe, the failure of the head counts all the same', async () => {
    const controller = new AbortController();
    await using blocked = await openBlockedConsumer((one, response) => {
      controller.abort();
      answer(500)(one, response);
    });
    const result = await blocked.attempt({ schedule: { cancelled: controller.signal } });
    expect(failedHead(result)).toMatchObject({ position: 1, failure: { code: 'HTTP_5XX' } });
    expect(sent(blocked.receiver)).toEqual(['1#1']);
    expect(await blocked.cursor()).toMatchObject({ head: 1, tries: 1 });
  });
});
