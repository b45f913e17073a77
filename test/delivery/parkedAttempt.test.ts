import { describe, expect, test } from 'vitest';

import { openBlockedConsumer } from '../support/blocked.ts';
import { answerAt, failedHead, sent } from '../support/headResults.ts';
import { accept, answer, type Respond } from '../support/receiver.ts';

describe('when nothing else waits', () => {
  /** With its first entry parked, and the others delivered. */
  async function openParked(respond: Respond) {
    const blocked = await openBlockedConsumer(answerAt({ 1: 422 }), { events: 2 });
    expect(await blocked.attempt()).toMatchObject({ outcome: 'parked' });
    expect(await blocked.cursor()).toMatchObject({ position: 2 });
    blocked.receiver.received.length = 0;
    blocked.receiver.respond = respond;
    return blocked;
  }

  test('and no entry is parked, the failure is over', async () => {
    await using blocked = await openBlockedConsumer(accept, { events: 0 });
    await blocked.api.setCursor(blocked.consumerId, 'head = 1, attempt = 4, tries = 2');
    expect(await blocked.attempt()).toEqual({ outcome: 'clear', position: 0 });
    expect(await blocked.cursor()).toMatchObject({ holder: null, head: null, tries: 0 });
  });

  test('a parked entry that is accepted is no longer parked', async () => {
    await using blocked = await openParked(accept);
    expect(await blocked.attempt()).toEqual({ outcome: 'delivered', position: 2 });
    expect(sent(blocked.receiver)).toEqual(['1#3']);
    expect(await blocked.parked()).toEqual([]);
  });

  test('a parked entry that fails as it did when it was parked says nothing about the endpoint', async () => {
    await using blocked = await openParked(answer(422));
    expect(await blocked.attempt()).toEqual({ outcome: 'clear', position: 2 });
    expect(sent(blocked.receiver)).toEqual(['1#3']);
    expect(await blocked.parked()).toEqual([1]);
    expect(await blocked.cursor()).toMatchObject({ holder: null, head: null });
  });

  test('a parked entry that fails in another way is a failure of the endpoint', async () => {
    await using blocked = await openParked(answer(503));
    const result = failedHead(await blocked.attempt());
    expect(result).toMatchObject({ position: 1, attempt: 3, failure: { code: 'HTTP_5XX' } });
    expect(await blocked.parked()).toEqual([1]);
    expect(await blocked.cursor()).toMatchObject({ position: 2, head: 1, attempt: 3, tries: 1 });
    failedHead(await blocked.attempt()); // however often
    expect(await blocked.parked()).toEqual([1]);
  });
});

describe('a probe with a parked entry, when nothing else waits', () => {
  /** With its first entry parked, and a third one behind the second, which was delivered. */
  async function openParked(statuses: Record<number, number>) {
    const blocked = await openBlockedConsumer(answerAt({ 1: 422 }), { events: 3 });
    expect(await blocked.attempt()).toMatchObject({ outcome: 'parked' });
    blocked.receiver.received.length = 0;
    blocked.receiver.respond = answerAt(statuses);
    return blocked;
  }

  test('that is accepted leads to the parking of the head instead', async () => {
    await using blocked = await openParked({ 3: 400 });
    expect(await blocked.attempt()).toEqual({ outcome: 'parked', position: 2 });
    expect(sent(blocked.receiver)).toEqual(['3#1', '1#3', '3#2']);
    expect(await blocked.parked()).toEqual([3]);
    expect(await blocked.cursor()).toMatchObject({ position: 3, head: null });
  });

  test('that fails as before proves nothing', async () => {
    await using blocked = await openParked({ 1: 422, 3: 400 });
    failedHead(await blocked.attempt());
    expect(sent(blocked.receiver)).toEqual(['3#1', '1#3']);
    expect(await blocked.parked()).toEqual([1]);
    expect(await blocked.cursor()).toMatchObject({ position: 2, head: 3 });
  });
});
