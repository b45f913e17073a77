import { expect } from 'vitest';

import { createCommandApplier } from '../../src/consumers/applyCommand.ts';
import type { Drain, DrainContext } from '../../src/delivery/drainContext.ts';
import type { DrainEnd } from '../../src/delivery/ending.ts';
import { openDrain, type NotStarted } from '../../src/delivery/openDrain.ts';
import type { Command, CommandAnswer } from '../../src/rules/command.ts';
import { createPages } from '../../src/streams/pages.ts';
import { HOLDER, openBlockedConsumer, type BlockedConsumer } from './blocked.ts';
import { until } from './poll.ts';
import type { Respond } from './receiver.ts';

/** An active consumer with its drain and its endpoint, without Temporal. */
export interface FailingConsumer extends BlockedConsumer {
  /** Starts a drain; its ticks end when it has ended, or by `freeze`. */
  start(context?: Partial<DrainContext>): Promise<Drain>;
  /** The same where none is to be started. */
  refuse(context?: Partial<DrainContext>): Promise<NotStarted>;
  /** As a process that has died: its drain does nothing any more, and its lease is over. */
  die(): Promise<void>;
  command(command: Command): Promise<CommandAnswer>;
  /** Resolves once so many attempts at a position are stored. */
  tried(position: number, attempts: number): Promise<void>;
  /** How the drain ended. */
  ended(): Promise<DrainEnd>;
}

export async function openFailingConsumer(
  respond: Respond,
  given: Parameters<typeof openBlockedConsumer>[1] = {},
): Promise<FailingConsumer> {
  const blocked = await openBlockedConsumer(respond, given);
  const { consumerId, context, api } = blocked;
  const { db } = api.api;
  await db.query(`update consumers set status = 'active', failing_since = null`);
  const applier = createCommandApplier({ db, pages: createPages });
  let drain: Drain | null = null;
  let timer: NodeJS.Timeout | undefined;

  async function open(more: Partial<DrainContext>): Promise<Drain | NotStarted> {
    const { signal: cancelled } = new AbortController();
    const own = { consumerId, holder: HOLDER, leaseMs: 8_000, nowMs: Date.now, cancelled };
    return openDrain({ ...own, context: { ...context, ...more } });
  }

  async function start(more: Partial<DrainContext> = {}): Promise<Drain> {
    const started = await open(more);
    if ('reason' in started) throw new Error(`it was not started: ${started.reason}`);
    drain = started;
    timer = setInterval(() => started.tick(performance.now()), 10);
    return started;
  }

  async function ended(): Promise<DrainEnd> {
    if (drain === null) throw new Error('there is no drain');
    const end = await drain.ended;
    clearInterval(timer);
    drain = null;
    return end;
  }

  return {
    ...blocked,
    start,
    refuse: async (more = {}) => {
      const refused = await open(more);
      if ('reason' in refused) return refused;
      throw new Error('it was started');
    },
    die: async () => {
      clearInterval(timer);
      drain = null;
      await db.query(`update cursors set lease_until = clock_timestamp() - interval '1 ms'`);
    },
    command: (command) =>
      applier.apply(
        consumerId,
        { editId: crypto.randomUUID(), actor: 'test', command },
        new Date(),
      ),
    tried: async (position, attempts) => {
      await until(async () => {
        const made = (await blocked.attempts()).filter((one) => one.position === position);
        return made.length >= attempts;
      });
    },
    ended,
    [Symbol.asyncDispose]: async () => {
      drain?.stop('yielded');
      if (drain !== null) await ended();
      await blocked[Symbol.asyncDispose]();
    },
  };
}

/**
 * While the endpoint fails, edits the body of its consumer so that none can be made of the first entry, and has it
 * retried. Returns how the drain ended.
 */
export async function unmakeFirst(failing: FailingConsumer): Promise<DrainEnd> {
  await failing.start();
  await failing.tried(1, 1);
  const expression = 'event.position == 1 ? event.data.missing : {"n": 1}';
  const patch = { body: { mode: 'map' as const, expression } };
  expect(await failing.command({ kind: 'patch', patch })).toMatchObject({ ok: true });
  await failing.command({ kind: 'retry' });
  return failing.ended();
}
