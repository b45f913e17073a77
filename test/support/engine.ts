import { randomBytes, randomUUID } from 'node:crypto';

import pino from 'pino';
import { vi } from 'vitest';

import { createConsumers } from '../../src/consumers/consumers.ts';
import { openDb, type Db } from '../../src/db/db.ts';
import { createVault } from '../../src/db/vault.ts';
import type { Command } from '../../src/rules/command.ts';
import { ConsumerInput } from '../../src/schema/consumer.ts';
import { TargetInput } from '../../src/schema/target.ts';
import { createAppender, type Appender } from '../../src/streams/append.ts';
import { createTargets } from '../../src/targets/targets.ts';
import { consumer } from '../../src/workflows/consumer.ts';
import { createActivityHost, type ActivityWatcher } from './activityHost.ts';
import { createDatabase, PATIENT } from './database.ts';
import { FAKED } from './faked.ts';
import { counted, createBusy, type Busy } from './gate.ts';
import { createHints } from './hints.ts';
import { noteVisits, type NotedVisits } from './hosts.ts';
import { createLaneHost } from './laneHost.ts';
import { WINDOW_MS } from './process.ts';
import * as temporal from './temporal.ts';

/** Steps in a moment of ours. */
const MANY = 5_000;

/** Who watches one life; what returns a promise is waited for. */
export interface Watcher extends ActivityWatcher {
  /** Nothing goes on until time passes; `changed`: something may have been written. */
  settled(changed: boolean): Promise<void>;
}

export interface Setup {
  input: Partial<ConsumerInput>;
  maxInFlight: number;
  timeoutMs: number;
  idleAfterMs: number;
  /** Whether a lane visits the consumer when it is woken; otherwise its own drain sends. */
  visits: boolean;
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
  /** Whether a lane has visited a consumer. */
  readonly visited: boolean;
}

/** A database for the lives of many consumers, one after another. */
export async function openEngine(): Promise<Engine> {
  const database = await createDatabase();
  const log = pino({ level: process.env['LOG_LEVEL'] ?? 'silent' });
  const db = openDb({ url: database.url, ...PATIENT, onError: () => undefined });
  const append = createAppender({ db, url: database.url, ...PATIENT, log });
  const vault = createVault([{ id: 'test', key: randomBytes(32) }]);
  const visits = noteVisits();
  return {
    db,
    append,
    live: (setup, watcher) => live({ db, vault, log, visits }, setup, watcher),
    get visited() {
      return visits.any;
    },
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
  visits: NotedVisits;
}

async function live(world: World, setup: Setup, watcher: Watcher): Promise<Life> {
  vi.useFakeTimers({ toFake: [...FAKED], fakeNodeBuiltins: true, now: Date.now() });
  const busy = createBusy();
  const db = counted(world.db, busy);
  const faults: unknown[] = [];
  const fault = (error: unknown): void => void faults.push(error);
  const hints = createHints();
  const { idleAfterMs } = setup;
  const region = randomUUID(); // of this life alone: lanes claim the consumers of a region
  const consumerId = await createConsumer({ ...world, db }, setup, region);
  const common = { ...world, db, busy, hints, idleAfterMs, fault };
  const host = createActivityHost({ ...common, watcher });
  const { counts } = world.visits;
  const lanes = setup.visits
    ? createLaneHost({ ...common, consumerId, region, wire: watcher, counts })
    : null;
  const args = { consumerId, deliveryQueue: 'deliver', retryWindowMs: WINDOW_MS };
  temporal
    .runWorkflow(consumer, args, host)
    .then(() => fault(new Error('the workflow has ended')), fault);
  const clock = createClock({
    busy,
    beside: async () => lanes !== null && (await lanes.look()),
    settled: async (changed) => {
      if (faults.length > 0) throw faults[0];
      await watcher.settled(changed);
    },
  });
  let asking = 0;

  // As the leader does for a new consumer for which entries wait.
  const { rows } = await world.db.query<{ wanted: number | null }>({
    text: 'select wanted from cursors where consumer_id = $1',
    values: [consumerId],
  });
  const wanted = rows[0]?.wanted ?? null;
  if (wanted !== null && lanes === null) void temporal.tell('wake', wanted);
  await clock.settle();
  return {
    consumerId,
    pass: clock.pass,
    ask: (command) => {
      asking += 1;
      temporal
        .tell('ask', { editId: randomUUID(), actor: 'test', command })
        .catch(fault)
        .finally(() => {
          asking -= 1;
        });
    },
    get asking() {
      return asking;
    },
    appended: (position) => {
      for (const stream of ['events', 'records']) hints.hint(`millrace_${stream}`);
      if (lanes === null) void temporal.tell('wake', position);
      else lanes.ask();
    },
    crash: (calls, run) => (host.sender ?? lanes?.process)?.gate.crash(calls, run),
    shutDown: () => (host.sender === null ? lanes?.shutDown() : host.shutDown()),
    end: async () => {
      clock.end();
      host.sender?.gate.kill();
      lanes?.end();
      temporal.abandon();
      await clock.settle();
      vi.useRealTimers();
    },
  };
}

/** Creates a target for the endpoint, and a consumer that sends to it; returns the consumer's id. */
async function createConsumer({ db, vault }: World, setup: Setup, region: string): Promise<string> {
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
    region,
    alertsByDefault: true,
    eventRetentionMs: 30 * 86_400_000,
  });
  const { id } = await consumers.create(
    ConsumerInput.parse({ name: 'model', target_id: target.id, stream: 'events', ...setup.input }),
    'test',
  );
  return id;
}

interface Clock {
  /** Returns once nothing goes on but what waits for time to pass. */
  settle(): Promise<void>;
  /** Lets time pass, from one timer to the next. */
  pass(ms: number): Promise<void>;
  /** What comes from now on is no longer reported. */
  end(): void;
}

/** What a clock asks. */
interface ClockOptions {
  busy: Busy;
  /** Called when nothing goes on; whether it has begun something that has to be waited for. */
  beside: () => Promise<boolean>;
  /** Called each time when nothing goes on any more; `changed`: something may have been written. */
  settled: (changed: boolean) => Promise<void>;
}

/** Moves the faked time. */
function createClock({ busy, beside, settled }: ClockOptions): Clock {
  let ended = false;

  async function settle(): Promise<void> {
    for (let rounds = 0; ; rounds += 1) {
      if (rounds > MANY) throw new Error('something goes on and on while no time passes');
      await new Promise(setImmediate);
      if (busy.open > 0) await busy.next();
      else if (!temporal.evaluate() && !(await beside())) break;
    }
    const changed = busy.wrote;
    busy.wrote = false;
    if (!ended) await settled(changed);
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

  return {
    settle,
    pass,
    end: () => {
      ended = true;
    },
  };
}
