import { randomBytes, randomUUID } from 'node:crypto';

import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  TimeoutFailure,
} from '@temporalio/common';
import { msToNumber } from '@temporalio/common/lib/time.js';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import pino from 'pino';
import { vi } from 'vitest';

import type { ControlActivities, Of } from '../../src/activities/contract.ts';
import { createControlActivities } from '../../src/activities/control.ts';
import { deliver } from '../../src/activities/deliver.ts';
import { drain } from '../../src/activities/drain.ts';
import { createCommandApplier } from '../../src/consumers/applyCommand.ts';
import { createConsumers } from '../../src/consumers/consumers.ts';
import { createLifecycle, type StopReason } from '../../src/consumers/lifecycle.ts';
import { openDb, type Db } from '../../src/db/db.ts';
import type { Hear } from '../../src/db/listener.ts';
import { createVault } from '../../src/db/vault.ts';
import { loadSenderConfig } from '../../src/delivery/senderConfig.ts';
import type { CommandAnswer, CommandRequest, Command } from '../../src/rules/command.ts';
import { ConsumerInput } from '../../src/schema/consumer.ts';
import { TargetInput } from '../../src/schema/target.ts';
import { createAppender, type Appender } from '../../src/streams/append.ts';
import { createPages } from '../../src/streams/pages.ts';
import { createTargets } from '../../src/targets/targets.ts';
import { consumer } from '../../src/workflows/consumer.ts';
import { createDatabase } from './database.ts';
import { counted, createBusy } from './gate.ts';
import { openProcess, WINDOW_MS, type Process } from './process.ts';
import * as temporal from './temporal.ts';
import type { Wire } from './wire.ts';

/** How long a lease outlives the process that holds it. */
const LEASE_MS = { drain: 8_000, deliver: 25_000 };
const HEARTBEAT_MS = { drain: 15_000, deliver: 20_000 };
/** Steps in a moment of ours. */
const MANY = 5_000;
const FAKED = [
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'Date',
  'performance',
] as const;

/** Who watches one life; what returns a promise is waited for. */
export interface Watcher extends Wire {
  applying(command: Command): void;
  /** In force; the workflow does not know yet. */
  applied(command: Command, answer: CommandAnswer): Promise<void>;
  /** It has been stopped, unless it was not active or blocked any more. */
  stopped(why: StopReason): Promise<void>;
  /** Nothing goes on until time passes; `changed`: something may have been written. */
  settled(changed: boolean): Promise<void>;
}

export interface Setup {
  input: Partial<ConsumerInput>;
  maxInFlight: number;
  timeoutMs: number;
  idleAfterMs: number;
}

/** One consumer with its workflow, its senders and its endpoint, on a clock of its own. */
export interface Life {
  consumerId: string;
  pass(ms: number): Promise<void>;
  /** Asks the workflow; it is answered as time passes. */
  ask(command: Command): void;
  readonly asking: number;
  /** Hints that entries have been appended, as NOTIFY and the leader do. */
  appended(position: number): void;
  /** Kills the sender's process, now or at the `calls`th next query, before or after it is run. */
  crash(calls: number | null, run: boolean): void;
  /** Ends the sender's process gracefully. */
  shutDown(): void;
  end(): Promise<void>;
}

export interface Engine extends AsyncDisposable {
  db: Db;
  append: Appender;
  live(setup: Setup, watcher: Watcher): Promise<Life>;
}

/** A database for the lives of many consumers, one after another. */
export async function openEngine(): Promise<Engine> {
  const database = await createDatabase();
  const log = pino({ level: process.env['LOG_LEVEL'] ?? 'silent' });
  const db = openDb({ url: database.url, onError: () => undefined });
  const append = createAppender({ db, url: database.url, log });
  const vault = createVault([{ id: 'test', key: randomBytes(32) }]);
  return {
    db,
    append,
    live: (setup, watcher) => live({ db, vault, log }, setup, watcher),
    [Symbol.asyncDispose]: async () => {
      vi.useRealTimers();
      await append.close();
      await db.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

interface World {
  db: Db;
  vault: ReturnType<typeof createVault>;
  log: pino.Logger;
}

async function live(world: World, setup: Setup, watcher: Watcher): Promise<Life> {
  vi.useFakeTimers({ toFake: [...FAKED], fakeNodeBuiltins: true, now: Date.now() });
  const { vault, log } = world;
  const busy = createBusy();
  const db = counted(world.db, busy);
  const hub = new Map<string, Set<Hear>>();
  const faults: unknown[] = [];
  let process: Process | null = null;
  let shutDown: (() => void) | null = null;
  let asking = 0;
  let ended = false;
  const target = await createTargets({ db, vault, egress: { refusal: () => null } }).create(
    TargetInput.parse({
      name: 'endpoint',
      base_url: 'https://endpoint.test/hook',
      timeout_ms: setup.timeoutMs,
      max_in_flight: setup.maxInFlight,
    }),
  );
  const consumers = createConsumers({
    db,
    region: 'test',
    alertsByDefault: true,
    eventRetentionMs: 30 * 86_400_000,
  });
  const consumerId = await consumers.create(
    ConsumerInput.parse({ name: 'model', target_id: target.id, stream: 'events', ...setup.input }),
    'test',
  );
  const control = createControlActivities({
    db,
    pages: createPages(db),
    applier: createCommandApplier({ db, pages: createPages }),
    lifecycle: createLifecycle({
      db,
      alertEmails: [],
      publicUrl: 'https://millrace.test',
      alertWebhook: false,
      retryWindowMs: WINDOW_MS,
    }),
    loadConfig: (id) => loadSenderConfig(db.pipe, vault, id),
    retryWindowMs: WINDOW_MS,
    mailWaits: () => undefined,
  });
  const args = { consumerId, deliveryQueue: 'deliver', retryWindowMs: WINDOW_MS };
  temporal.runWorkflow(consumer, args, { activity }).then(
    () => faults.push(new Error('the workflow has ended')),
    (error: unknown) => faults.push(error),
  );

  // ── Temporal ───────────────────────────────────────────────────────────────────────────

  async function activity(
    name: string,
    input: unknown,
    options: temporal.ActivityOptions,
    scope: temporal.CancellationScope | null,
  ): Promise<unknown> {
    if (name === 'drain' || name === 'deliver') return send(name, input, options, scope);
    try {
      return await controlled(name as keyof ControlActivities, input);
    } catch (error) {
      faults.push(error);
      throw error;
    } finally {
      hint('millrace_consumers');
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
    setTimeout(() => hint('millrace_consumers'), 1); // NOTIFY, while it waits to be in force
    const applied = (await applying) as { answer: CommandAnswer };
    await busy.track(watcher.applied(command, applied.answer), true);
    return applied;
  }

  /** An activity of the delivery queue: its attempts, time-outs and retries as Temporal has them. */
  async function send(
    name: 'drain' | 'deliver',
    input: unknown,
    options: temporal.ActivityOptions,
    scope: temporal.CancellationScope | null,
  ): Promise<unknown> {
    const scheduledTimestampMs = Date.now();
    const over = scheduledTimestampMs + (options.scheduleToCloseTimeout ?? Infinity);
    for (let attempt = 1; ; attempt += 1) {
      const made = await attemptOnce(name, input, {
        attempt,
        scheduledTimestampMs,
        currentAttemptScheduledTimestampMs: Date.now(),
        ...(options.scheduleToCloseTimeout === undefined
          ? { scheduleToCloseTimeoutMs: undefined as never } // as Temporal leaves it out
          : { scheduleToCloseTimeoutMs: options.scheduleToCloseTimeout }),
      });
      if ('result' in made) return made.result;
      const { error } = made;
      const final = error instanceof ApplicationFailure && error.nonRetryable === true;
      const asked = error instanceof ApplicationFailure ? error.nextRetryDelay : null;
      const wait = asked == null ? Math.min(500 * 2 ** attempt, 5_000) : msToNumber(asked);
      const last = attempt >= (options.retry?.maximumAttempts ?? Infinity);
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
      idleAfterMs: setup.idleAfterMs,
      listener: { on: listen },
      reportHead: async (_id, failing) => void (await temporal.tell('failing', failing)),
      wire: watcher,
    });
    process = own;
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
    process = null;
    shutDown = null;
    await own.close();
    if ('error' in made && isFault(made.error)) faults.push(made.error);
    return made;
  }

  /** Leases are on Postgres's clock, which does not follow ours. */
  async function expire(holder: string): Promise<void> {
    await db.query({
      text: `update cursors set lease_until = clock_timestamp() - interval '1 ms' where holder = $1`,
      values: [holder],
    });
  }

  // ── hints ────────────────────────────────────────────────────────────────────────────────

  function listen(channel: string, hear: Hear): () => void {
    const heard = hub.get(channel) ?? new Set();
    hub.set(channel, heard.add(hear));
    return () => void heard.delete(hear);
  }

  function hint(channel: string): void {
    for (const hear of hub.get(channel) ?? []) hear(null);
  }

  // ── time ───────────────────────────────────────────────────────────────────────────────

  /** Until nothing goes on but what waits for time to pass. */
  async function settle(): Promise<void> {
    for (let rounds = 0; ; rounds += 1) {
      if (rounds > MANY) throw new Error('something goes on and on while no time passes');
      await new Promise(setImmediate);
      if (busy.open > 0) await busy.next();
      else if (!temporal.evaluate()) break;
    }
    const changed = busy.wrote;
    busy.wrote = false;
    if (ended) return;
    if (faults.length > 0) throw faults[0];
    await watcher.settled(changed);
  }

  async function pass(ms: number): Promise<void> {
    let over = false;
    setTimeout(() => {
      over = true;
    }, ms);
    await settle();
    for (let steps = 0, at = 0; !over; steps += 1) {
      vi.advanceTimersToNextTimer();
      if (at < Date.now()) steps = 0;
      at = Date.now();
      if (steps > MANY) throw new Error('timers end on and on while no time passes');
      await settle();
    }
  }

  await settle();
  return {
    consumerId,
    pass,
    ask: (command) => {
      asking += 1;
      temporal
        .tell('ask', { editId: randomUUID(), actor: 'test', command })
        .catch((error: unknown) => faults.push(error))
        .finally(() => {
          asking -= 1;
        });
    },
    get asking() {
      return asking;
    },
    appended: (position) => {
      for (const stream of ['events', 'records']) hint(`millrace_${stream}`);
      void temporal.tell('wake', position);
    },
    crash: (calls, run) => process?.gate.crash(calls, run),
    shutDown: () => shutDown?.(),
    end: async () => {
      ended = true;
      process?.gate.kill();
      temporal.abandon();
      await settle();
      vi.useRealTimers();
    },
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
