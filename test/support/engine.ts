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
import type { QueryResult, QueryResultRow } from 'pg';
import pino from 'pino';
import type { Dispatcher } from 'undici';
import { vi } from 'vitest';

import { createControlActivities } from '../../src/activities/control.ts';
import type { ControlActivities, Of } from '../../src/activities/contract.ts';
import { deliver, type DeliverDeps } from '../../src/activities/deliver.ts';
import { drain, type DrainDeps } from '../../src/activities/drain.ts';
import { createAppender, type Appender } from '../../src/append.ts';
import { createBudget } from '../../src/budget.ts';
import type { Answer, Ask, Command } from '../../src/command.ts';
import { createCommitter } from '../../src/committer.ts';
import { createConsumers } from '../../src/consumers.ts';
import { openDb, type Db, type Query, type Sql } from '../../src/db.ts';
import { createEdits } from '../../src/edits.ts';
import { createLifecycle, type StopReason } from '../../src/lifecycle.ts';
import type { Hear } from '../../src/notify.ts';
import { createPages } from '../../src/pages.ts';
import { createParkedStore } from '../../src/parked.ts';
import { createProgress } from '../../src/progress.ts';
import { loadRun, type Run } from '../../src/run.ts';
import { ConsumerInput, TargetInput } from '../../src/schema.ts';
import { createVault } from '../../src/secrets.ts';
import { createSender, type Ended, type Message, type Sender } from '../../src/sender.ts';
import type { Delivery, Shared } from '../../src/shared.ts';
import { createTail } from '../../src/tail.ts';
import { createTargets } from '../../src/targets.ts';
import { consumer } from '../../src/workflows/consumer.ts';
import { createDatabase } from './database.ts';
import * as temporal from './temporal.ts';

export const WINDOW_MS = 86_400_000;
const LEASE_MS = { drain: 8_000, deliver: 25_000 };
const HEARTBEAT_MS = { drain: 15_000, deliver: 20_000 };
const WRITES = /^(?:commit|release|confirm|acquire|select|insert|delete|update|with)/u;
const FAKED = [
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'Date',
  'performance',
] as const;

/** One request as the endpoint sees it. */
export interface Arrival {
  position: number;
  messageId: string;
  attempt: number;
}

/** How the endpoint answers, and after how long; null: never. */
export type Reply = { afterMs: number; status: number | 'reset'; retryAfter?: string } | null;

/** Who watches one life. Called synchronously, but for what returns a promise. */
export interface Watcher {
  arrives(request: Arrival): Reply;
  /** Its sender has read the answer, or has given it up. */
  over(request: Arrival, read: boolean): void;
  applying(command: Command): void;
  /** In force; the workflow does not know yet. */
  applied(command: Command, answer: Answer): Promise<void>;
  stopping(why: StopReason): Promise<void>;
  /** The sender's process has died. */
  died(): void;
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
  end(): void;
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

interface Process {
  deps: DrainDeps & DeliverDeps;
  gate: Gate;
  died: Promise<void>;
  close(): Promise<void>;
}

async function live(world: World, setup: Setup, watcher: Watcher): Promise<Life> {
  vi.useFakeTimers({ toFake: [...FAKED], now: Date.now() });
  const { vault, log } = world;
  const busy = createBusy();
  const db = counted(world.db, busy);
  const hub = new Map<string, Set<Hear>>();
  const faults: unknown[] = [];
  let process: Process | null = null;
  let shutDown: (() => void) | null = null;
  let asking = 0;
  let ended = false;
  const target = await createTargets({ db, vault }).create(
    TargetInput.parse({
      name: 'endpoint',
      base_url: 'https://endpoint.test/hook',
      timeout_ms: setup.timeoutMs,
      max_in_flight: setup.maxInFlight,
    }),
  );
  const consumers = createConsumers({ db, region: 'test', alertsByDefault: true });
  const consumerId = await consumers.create(
    ConsumerInput.parse({ name: 'model', target_id: target.id, stream: 'events', ...setup.input }),
    'test',
  );
  const control = createControlActivities({
    db,
    pages: createPages(db),
    edits: createEdits({ db, pages: createPages }),
    lifecycle: createLifecycle({
      db,
      alertEmails: [],
      publicUrl: 'https://millrace.test',
      alertWebhook: false,
      retryWindowMs: WINDOW_MS,
    }),
    loadRun: (id) => loadRun(db.pipe, vault, id),
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
    if (name === 'stop') await watcher.stopping((input as { why: StopReason }).why);
    const call = control[name] as (input: unknown) => Promise<unknown>;
    if (name !== 'apply') return call(input);
    const { command } = (input as { ask: Ask }).ask;
    watcher.applying(command);
    const applying = call(input);
    setTimeout(() => hint('millrace_consumers'), 1); // NOTIFY, while it waits to be in force
    const applied = (await applying) as { answer: Answer };
    await watcher.applied(command, applied.answer);
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
        scheduleToCloseTimeoutMs: options.scheduleToCloseTimeout,
      });
      if ('result' in made) return made.result;
      const { error } = made;
      const final = error instanceof ApplicationFailure && error.nonRetryable === true;
      const asked = error instanceof ApplicationFailure ? error.nextRetryDelay : null;
      const wait = asked == null ? Math.min(500 * 2 ** attempt, 5_000) : msToNumber(asked);
      const last = attempt >= (options.retry?.maximumAttempts ?? Infinity);
      if (final || last || scope?.cancelled === true || Date.now() + wait >= over)
        throw fails(name, error);
      await new Promise<void>((resolve) => {
        setTimeout(resolve, wait);
        scope?.onCancel.add(resolve);
      });
      if (scope?.cancelled === true) throw fails(name, new CancelledFailure('cancelled'));
    }
  }

  async function attemptOnce(
    name: 'drain' | 'deliver',
    input: unknown,
    info: ConstructorParameters<typeof MockActivityEnvironment>[0],
  ): Promise<{ result: unknown } | { error: Error }> {
    const own = openProcess();
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

  // ── a process that sends ───────────────────────────────────────────────────────────────

  function openProcess(): Process {
    const died = Promise.withResolvers<void>();
    const gate = createGate(db.pipe, die);
    const pages = createPages(gate);
    const progress = createProgress({ query: gate.query, pipe: { ...db.pipe, query: gate.query } });
    const committer = createCommitter({ progress, intervalMs: 25, leaseMs: LEASE_MS.drain, log });
    const listener = { on: listen };
    const tails = {
      records: createTail({ stream: 'records', pages, listener, pollMs: 500, log }),
      events: createTail({ stream: 'events', pages, listener, pollMs: 500, log }),
    };
    const deliveries = new Set<Delivery>();
    const requests = new Set<() => void>();
    const unlisten = listen('millrace_consumers', () => committer.markAll());
    const timer = setInterval(() => {
      for (const delivery of deliveries) delivery.tick(performance.now());
    }, 50);

    function openSender<M extends Message>(run: Run, ended: Ended<M>): Sender<M> {
      return createSender({
        outlet: { dispatch, close: () => Promise.resolve(), destroy: () => Promise.resolve() },
        path: '/hook',
        sign: () => '',
        headers: [],
        consumerId,
        userAgent: 'Millrace/test',
        timeoutMs: run.target.timeoutMs,
        ended,
      });
    }

    function dispatch(
      options: Dispatcher.DispatchOptions,
      handler: Dispatcher.DispatchHandler,
    ): boolean {
      if (gate.dead) return true;
      const headers = options.headers as string[];
      const header = (name: string): string => headers[headers.indexOf(name) + 1] ?? '';
      const request = {
        position: Number(header('millrace-position')),
        messageId: header('webhook-id'),
        attempt: Number(header('millrace-attempt')),
      };
      const abort = (): void => end(false);
      const controller = { abort } as unknown as Dispatcher.DispatchController;
      handler.onRequestStart?.(controller, {});
      const reply = watcher.arrives(request);
      const answering = reply === null ? null : setTimeout(answer, reply.afterMs);
      requests.add(abort);

      function answer(): void {
        end(true);
        if (reply?.status === 'reset') {
          const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
          handler.onResponseError?.(controller, reset);
        } else if (reply !== null) {
          const asked = reply.retryAfter === undefined ? {} : { 'retry-after': reply.retryAfter };
          handler.onResponseStart?.(controller, reply.status, asked, '');
          handler.onResponseEnd?.(controller, {});
        }
      }

      function end(read: boolean): void {
        if (!requests.delete(abort)) return;
        if (answering !== null) clearTimeout(answering);
        watcher.over(request, read);
      }
      return true;
    }

    function die(): void {
      gate.kill();
      for (const abort of requests) abort();
      watcher.died();
      void close();
      died.resolve();
    }

    /** What a dead one leaves to Postgres never comes back, so nothing of it is waited for. */
    async function close(): Promise<void> {
      clearInterval(timer);
      unlisten();
      tails.records.close();
      tails.events.close();
      const closed = committer[Symbol.asyncDispose]();
      if (!gate.dead) await closed;
    }

    const shared: Shared = {
      pages,
      progress,
      parked: createParkedStore(gate),
      committer,
      tails,
      budget: createBudget({ requests: 4_096, bytes: 1e9 }),
      loadRun: (id) => loadRun(gate, vault, id),
      openSender,
      idleAfterMs: setup.idleAfterMs,
      retryWindowMs: WINDOW_MS,
      timeBudgetMs: 3_600_000,
      log,
    };
    const deps = {
      shared,
      leaseMs: LEASE_MS.drain,
      holder: randomUUID(),
      register: (delivery: Delivery) => {
        deliveries.add(delivery);
        return () => void deliveries.delete(delivery);
      },
      openSingle: openSender as DeliverDeps['openSingle'],
    };
    return { deps, gate: { ...gate, crash: gate.crash }, died: died.promise, close };
  }

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
    for (;;) {
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
    while (!over) {
      vi.advanceTimersToNextTimer();
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
    end: () => {
      ended = true;
      process?.gate.kill();
      vi.useRealTimers();
    },
  };
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
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

// ── Postgres ─────────────────────────────────────────────────────────────────────────────

interface Busy {
  readonly open: number;
  wrote: boolean;
  track<T>(work: Promise<T>, writes: boolean): Promise<T>;
  /** Resolves when one of those open has ended. */
  next(): Promise<void>;
}

function createBusy(): Busy {
  let open = 0;
  let waiting = Promise.withResolvers<void>();
  const busy = {
    get open() {
      return open;
    },
    wrote: false,
    next: () => waiting.promise,
    track: async <T>(work: Promise<T>, writes: boolean): Promise<T> => {
      open += 1;
      try {
        return await work;
      } finally {
        open -= 1;
        busy.wrote ||= writes;
        const { resolve } = waiting;
        waiting = Promise.withResolvers<void>();
        resolve();
      }
    },
  };
  return busy;
}

function counted(db: Db, busy: Busy): Db {
  const count = (sql: Sql): Sql['query'] => {
    return <R extends QueryResultRow>(query: Query | string): Promise<QueryResult<R>> => {
      const name = typeof query === 'string' ? query : (query.name ?? query.text.trim());
      return busy.track(sql.query<R>(query), WRITES.test(name));
    };
  };
  return {
    ...db,
    query: count(db),
    transaction: (work) => busy.track(db.transaction(work), true),
    pipe: { ...db.pipe, query: count(db.pipe) },
  };
}

/** One process's way to Postgres. When it is dead nothing goes through, and nothing comes back. */
interface Gate extends Sql {
  readonly dead: boolean;
  kill(): void;
  crash(calls: number | null, run: boolean): void;
}

function createGate(sql: Sql, die: () => void): Gate {
  let dead = false;
  let left = Infinity;
  let runsLast = false;
  const never = new Promise<never>(() => undefined);

  async function query<R extends QueryResultRow>(asked: Query | string): Promise<QueryResult<R>> {
    if (dead) return never;
    left -= 1;
    const fatal = left < 0;
    if (fatal && !runsLast) {
      die();
      return never;
    }
    const made = await sql.query<R>(asked).then(
      (result) => ({ result }),
      (error: unknown) => ({ error }),
    );
    if (fatal && !dead) die();
    if (dead) return never;
    if ('error' in made) throw made.error;
    return made.result;
  }

  return {
    query,
    get dead() {
      return dead;
    },
    kill: () => {
      dead = true;
    },
    crash: (calls, run) => {
      if (calls === null) {
        if (!dead) die();
        return;
      }
      left = calls;
      runsLast = run;
    },
  };
}
