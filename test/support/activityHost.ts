import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  TimeoutFailure,
} from '@temporalio/common';
import { msToNumber } from '@temporalio/common/lib/time.js';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import type { Logger } from 'pino';

import type { ControlActivities, Of } from '../../src/activities/contract.ts';
import { createControlActivities } from '../../src/activities/control.ts';
import { deliver } from '../../src/activities/deliver.ts';
import { drain } from '../../src/activities/drain.ts';
import { createCommandApplier } from '../../src/consumers/applyCommand.ts';
import { createLifecycle, type StopReason } from '../../src/consumers/lifecycle.ts';
import { CHANNELS } from '../../src/db/channels.ts';
import type { Db } from '../../src/db/db.ts';
import type { Vault } from '../../src/db/vault.ts';
import { loadSenderConfig } from '../../src/delivery/senderConfig.ts';
import type { CommandAnswer, CommandRequest, Command } from '../../src/rules/command.ts';
import { createPages } from '../../src/streams/pages.ts';
import type { Busy } from './gate.ts';
import type { Hints } from './hints.ts';
import { openProcess, WINDOW_MS, type Process } from './process.ts';
import * as temporal from './temporal.ts';
import type { Wire } from './wire.ts';

/** How long a lease outlives the process that holds it. */
const LEASE_MS = { drain: 8_000, deliver: 25_000 };
const HEARTBEAT_MS = { drain: 15_000, deliver: 20_000 };

/** Who watches what the activities do; what returns a promise is waited for. */
export interface ActivityWatcher extends Wire {
  applying(command: Command): void;
  /** In force; the workflow does not know yet. */
  applied(command: Command, answer: CommandAnswer): Promise<void>;
  /** It has been stopped, unless it was not active or blocked any more. */
  stopped(why: StopReason): Promise<void>;
}

export interface ActivityHostOptions {
  /** Counted by `busy`. */
  db: Db;
  busy: Busy;
  vault: Vault;
  log: Logger;
  hints: Hints;
  idleAfterMs: number;
  watcher: ActivityWatcher;
  /** Gets what neither an endpoint nor a crash explains. */
  fault: (error: unknown) => void;
}

export interface ActivityHost extends temporal.Host {
  /** The process whose activity sends at present, if any. */
  readonly sender: Process | null;
  /** Ends that process gracefully. */
  shutDown(): void;
}

/** Runs a consumer's activities with the attempts, time-outs and retries that Temporal would make. */
export function createActivityHost(options: ActivityHostOptions): ActivityHost {
  const { db, busy, vault, hints, watcher, fault } = options;
  const control = createControl(db, vault);
  const senders = createSenders(options);

  async function activity(
    name: string,
    input: unknown,
    how: temporal.ActivityOptions,
    scope: temporal.CancellationScope | null,
  ): Promise<unknown> {
    if (name === 'drain' || name === 'deliver') return senders.send(name, input, how, scope);
    try {
      return await controlled(name as keyof ControlActivities, input);
    } catch (error) {
      fault(error);
      throw error;
    } finally {
      hints.hint(CHANNELS.consumers);
    }
  }

  async function controlled(name: keyof ControlActivities, input: unknown): Promise<unknown> {
    const environment = new MockActivityEnvironment();
    const call = (given: unknown): Promise<unknown> =>
      environment.run(() => (control[name] as (input: unknown) => Promise<unknown>)(given));
    if (name !== 'apply') {
      const done = await call(input);
      if (name === 'stop')
        await busy.track(watcher.stopped((input as { why: StopReason }).why), true);
      return done;
    }
    const { command } = (input as { ask: CommandRequest }).ask;
    watcher.applying(command);
    const applying = call(input);
    setTimeout(() => hints.hint(CHANNELS.consumers), 1); // NOTIFY, while it waits to be in force
    const applied = (await applying) as { answer: CommandAnswer };
    await busy.track(watcher.applied(command, applied.answer), true);
    return applied;
  }

  return {
    activity,
    get sender() {
      return senders.current;
    },
    shutDown: senders.shutDown,
  };
}

function createControl(db: Db, vault: Vault): ControlActivities {
  return createControlActivities({
    db,
    pages: createPages(db),
    applier: createCommandApplier({ db, pages: createPages }),
    lifecycle: createLifecycle({
      db,
      alertEmails: [],
      publicUrl: 'https://millrace.test',
      alertWebhook: false,
      retryWindowMs: WINDOW_MS,
      eventRetentionMs: 30 * 86_400_000,
    }),
    loadConfig: (id) => loadSenderConfig(db.pipe, vault, id),
    retryWindowMs: WINDOW_MS,
    publicUrl: 'https://millrace.test',
    mailWaits: () => undefined,
  });
}

/** Activities of the delivery queue, each attempt in a process of its own that may die. */
function createSenders(options: ActivityHostOptions) {
  const { db, vault, log, hints, watcher, fault } = options;
  let current: Process | null = null;
  let shutDown: (() => void) | null = null;

  /** An activity of the delivery queue: its attempts, time-outs and retries as Temporal has them. */
  async function send(
    name: 'drain' | 'deliver',
    input: unknown,
    how: temporal.ActivityOptions,
    scope: temporal.CancellationScope | null,
  ): Promise<unknown> {
    const scheduledTimestampMs = Date.now();
    const over = scheduledTimestampMs + (how.scheduleToCloseTimeout ?? Infinity);
    for (let attempt = 1; ; attempt += 1) {
      const made = await attemptOnce(name, input, {
        attempt,
        scheduledTimestampMs,
        currentAttemptScheduledTimestampMs: Date.now(),
        ...(how.scheduleToCloseTimeout === undefined
          ? { scheduleToCloseTimeoutMs: undefined as never } // as Temporal leaves it out
          : { scheduleToCloseTimeoutMs: how.scheduleToCloseTimeout }),
      });
      if ('result' in made) return made.result;
      const { error } = made;
      const final = error instanceof ApplicationFailure && error.nonRetryable === true;
      const asked = error instanceof ApplicationFailure ? error.nextRetryDelay : null;
      const wait = asked == null ? Math.min(500 * 2 ** attempt, 5_000) : msToNumber(asked);
      const last = attempt >= (how.retry?.maximumAttempts ?? Infinity);
      if (final || last || isCancelled(scope) || Date.now() + wait >= over)
        throw fails(name, error);
      await new Promise<void>((resolve) => {
        setTimeout(resolve, wait);
        scope?.onCancel.add(resolve);
      });
      if (isCancelled(scope)) throw fails(name, new CancelledFailure('cancelled'));
    }
  }

  async function attemptOnce(
    name: 'drain' | 'deliver',
    input: unknown,
    info: ConstructorParameters<typeof MockActivityEnvironment>[0],
  ): Promise<{ result: unknown } | { error: Error }> {
    const own = openProcess({
      db,
      vault,
      log,
      idleAfterMs: options.idleAfterMs,
      listener: { on: hints.listen },
      reportHead: async (_id, failing) => void (await temporal.tell('failing', failing)),
      wire: watcher,
    });
    current = own;
    const environment = new MockActivityEnvironment(info, { logger: new DefaultLogger('ERROR') });
    shutDown = () => environment.cancel('WORKER_SHUTDOWN');
    const run = name === 'drain' ? drain : deliver;
    const running = environment
      .run(() => run(own.deps, input as Of & { last: boolean }))
      .then(
        (result) => ({ result }),
        (error: Error) => ({ error }),
      );
    const died = own.died.then(async () => {
      setTimeout(() => void expire(own.deps.holder), LEASE_MS[name]);
      await later(HEARTBEAT_MS[name]);
      return { error: new TimeoutFailure('heartbeat', undefined, 'HEARTBEAT') };
    });
    const made = await Promise.race([running, died]);
    current = null;
    shutDown = null;
    await own.close();
    if ('error' in made && isFault(made.error)) fault(made.error);
    return made;
  }

  /** Leases are on Postgres's clock, which does not follow ours. */
  async function expire(holder: string): Promise<void> {
    await db.query({
      text: `update cursors set lease_until = clock_timestamp() - interval '1 ms' where holder = $1`,
      values: [holder],
    });
  }

  return {
    send,
    get current() {
      return current;
    },
    shutDown: () => shutDown?.(),
  };
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

function isCancelled(scope: temporal.CancellationScope | null): boolean {
  return scope?.cancelled === true;
}

function fails(name: string, cause: Error): ActivityFailure {
  return new ActivityFailure(
    'the activity failed',
    name,
    name,
    'NON_RETRYABLE_FAILURE',
    'test',
    cause,
  );
}

/** What no endpoint and no crash explains. */
function isFault(error: Error): boolean {
  if (error instanceof TimeoutFailure || /another sender has taken/u.test(error.message))
    return false;
  return !(error instanceof ApplicationFailure) || error.type === 'INTERNAL';
}
