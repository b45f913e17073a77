// Bodies in another shape may be made after their sender has returned, when nobody is there to catch an error.
import { expect, test } from 'vitest';

import type { MakingTurn } from '../../src/egress/shaping.ts';
import { createWebhookSender, type Message } from '../../src/egress/webhookSender.ts';
import { bodyShape } from '../../src/rules/bodyShape.ts';
import type { Outcome } from '../../src/rules/outcome.ts';
import { until } from '../support/poll.ts';

/** A turn that is over for the first body. */
function createOverTurn(): MakingTurn {
  let isOver = true;
  return {
    isOver: () => isOver,
    later: (run) => {
      isOver = false;
      setImmediate(run);
    },
  };
}

test.each(['sign', 'dispatch'])(
  'an error that nobody foresaw in %s, after a body was made later, ends this attempt without blame and the others go',
  async (where) => {
    const ended: [number, Outcome][] = [];
    const fail = (): never => {
      throw new Error('unforeseen');
    };
    let calls = 0;
    const sender = createWebhookSender<Message>({
      origin: 'http://endpoint.test',
      path: '/hook',
      outlet: {
        dispatch: (_options, handler) => {
          if (where === 'dispatch' && (calls += 1) === 1) fail();
          handler.onRequestStart?.({ abort: () => undefined } as never, {});
          handler.onResponseStart?.({} as never, 204, {}, '');
          handler.onResponseEnd?.({} as never, {});
          return true;
        },
        close: () => Promise.resolve(),
        destroy: () => Promise.resolve(),
      },
      sign: () => (where === 'sign' && (calls += 1) === 1 ? fail() : ''),
      headers: [],
      consumerId: 'c',
      userAgent: 'Millrace/test',
      now: Date.now,
      timeoutMs: 1_000,
      shape: bodyShape({ mode: 'map', expression: 'event.data' }, 'events'),
      turn: createOverTurn(),
      ended: ({ position }, outcome) => void ended.push([position, outcome]),
    });
    for (const position of [1, 2])
      sender.send({ position, messageId: `m${position}`, body: '{"event":{"data":{"n":1}}}' }, 1);
    expect(sender.inFlight).toBe(2);
    await until(() => ended.length === 2);
    expect(ended.toSorted(([a], [b]) => a - b)).toMatchObject([
      [1, { kind: 'ours', detail: 'the request could not be made: unforeseen' }],
      [2, { kind: 'delivered' }],
    ]);
    expect(sender.inFlight).toBe(0);
  },
);
