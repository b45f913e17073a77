import pino from 'pino';

import { createListener } from '../../src/db/listener.ts';
import type { AttemptSchedule } from '../../src/delivery/attemptScene.ts';
import type { DrainContext } from '../../src/delivery/drainContext.ts';
import { attemptHead, type HeadAttempt, type HeadResult } from '../../src/delivery/headAttempt.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { createDrains } from '../../src/temporal/drains.ts';
import { createOpenSender } from '../../src/temporal/openSender.ts';
import { LOOPBACK } from './app.ts';
import { openConsumersApi, type ConsumersApi } from './consumers.ts';
import { faultsOf } from './faults.ts';
import { openReceiver, type Respond, type TestReceiver } from './receiver.ts';

export const WINDOW_MS = 86_400_000;
export const HOLDER = 'here';

/** What an attempt is made with, where it differs from the first of a whole window. */
export interface AttemptFields extends Partial<Omit<HeadAttempt, 'context' | 'schedule'>> {
  context?: Partial<DrainContext>;
  schedule?: Partial<AttemptSchedule>;
}

export interface Cursor {
  position: number;
  ahead: number[];
  holder: string | null;
  head: number | null;
  attempt: number;
  tries: number;
  next_attempt_at: string | null;
  asked_until: string | null;
  schedule_from: string | null;
  schedule_again_from: string | null;
  last_failure: { code: string; status: number | null; detail: string; at: string } | null;
}

export interface StoredAttempt {
  position: number;
  attempt: number;
  outcome: string;
  status: number | null;
  next_attempt_at: string | null;
}

/** A blocked consumer, its endpoint and what would send to it, without Temporal. */
export interface BlockedConsumer extends AsyncDisposable {
  api: ConsumersApi;
  consumerId: string;
  receiver: TestReceiver;
  context: DrainContext;
  openSingle: HeadAttempt['openSingle'];
  lateAnswers: HeadAttempt['lateAnswers'];
  attempt(fields?: AttemptFields): Promise<HeadResult>;
  cursor(): Promise<Cursor>;
  /** Every attempt that is stored, by position and number. */
  attempts(): Promise<StoredAttempt[]>;
  /** Positions of what is parked. */
  parked(): Promise<number[]>;
}

/** `events` of as many records wait for a consumer that starts at the beginning and is blocked. */
export async function openBlockedConsumer(
  respond: Respond,
  { events = 3, consumer = {} }: { events?: number; consumer?: object } = {},
): Promise<BlockedConsumer> {
  const api = await openConsumersApi();
  const { db, vault } = api.api;
  const log = pino({ level: 'silent' });
  const receiver = await openReceiver(respond);
  const listener = createListener({ url: api.databaseUrl, log });
  const drains = createDrains({
    db,
    vault,
    openSender: createOpenSender({
      egress: createEgress({ allowCidrs: LOOPBACK }),
      userAgent: 'Millrace/test',
      now: Date.now,
    }),
    listener,
    holder: HOLDER,
    now: Date.now,
    idleAfterMs: 60_000,
    retryWindowMs: WINDOW_MS,
    reportHead: () => Promise.resolve(),
    ...faultsOf(db),
    slots: 100,
    log,
  });
  const { context, holder, openSingle, lateAnswers } = drains.deps;
  await api.api.request('PATCH', `/v1/targets/${api.targetId}`, { base_url: receiver.url });
  const { id: consumerId } = await api.create({ start: 'beginning', ...consumer });
  if (events > 0) await api.append('s', events);
  await db.query(`update consumers set status = 'blocked', failing_since = now()`);

  function attempt(fields: AttemptFields = {}): Promise<HeadResult> {
    return attemptHead({
      consumerId,
      holder,
      openSingle,
      lateAnswers,
      sendWithinMs: 60_000, // 250 in production, which a busy machine may need between a look and a request
      windowMs: undefined,
      ...fields,
      context: { ...context, ...fields.context },
      schedule: {
        nowMs: Date.now,
        remainingMs: () => WINDOW_MS,
        cancelled: new AbortController().signal,
        isFirst: true,
        isLast: false,
        ...fields.schedule,
      },
    });
  }

  async function cursor(): Promise<Cursor> {
    const { rows } = await db.query<Cursor>('select * from cursors');
    const [row] = rows;
    if (row === undefined) throw new Error('there is no cursor');
    return row;
  }

  return {
    api,
    consumerId,
    receiver,
    context,
    openSingle,
    lateAnswers,
    attempt,
    cursor,
    attempts: async () => {
      const { rows } = await db.query<StoredAttempt>(
        `select position, attempt, outcome, status, next_attempt_at
           from attempts order by position, attempt`,
      );
      return rows;
    },
    parked: async () => {
      const { rows } = await db.query<{ position: number }>(
        'select position from parked order by position',
      );
      return rows.map(({ position }) => position);
    },
    [Symbol.asyncDispose]: async () => {
      await drains[Symbol.asyncDispose]();
      await listener.close();
      await receiver[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}
