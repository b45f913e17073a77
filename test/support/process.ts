import { randomUUID } from 'node:crypto';

import type { QueryResult, QueryResultRow } from 'pg';
import type { Logger } from 'pino';
import type { Dispatcher } from 'undici';

import type { DeliverDeps } from '../../src/activities/deliver.ts';
import type { DrainDeps } from '../../src/activities/drain.ts';
import { CHANNELS } from '../../src/db/channels.ts';
import type { Db, Query, Sql } from '../../src/db/db.ts';
import type { Listener } from '../../src/db/listener.ts';
import type { Vault } from '../../src/db/vault.ts';
import type { Drain, DrainContext } from '../../src/delivery/drainContext.ts';
import { loadSenderConfig, type SenderConfig } from '../../src/delivery/senderConfig.ts';
import {
  createWebhookSender,
  type OnAttemptEnd,
  type Message,
  type WebhookSender,
} from '../../src/egress/webhookSender.ts';
import { createBudget } from '../../src/flow/budget.ts';
import { createCommitter } from '../../src/progress/committer.ts';
import { createParkedStore } from '../../src/progress/parkedRows.ts';
import { createProgress } from '../../src/progress/progress.ts';
import { createPages } from '../../src/streams/pages.ts';
import { createTail } from '../../src/streams/tail.ts';

export const WINDOW_MS = 86_400_000;
export const LEASE_MS = { drain: 8_000, deliver: 25_000 };
/** Queries that may write, by the beginning of their name or text. */
const WRITES = /^(?:commit|release|confirm|acquire|insert|delete|update|with)/u;

/** One request as the endpoint sees it. */
export interface Arrival {
  position: number;
  messageId: string;
  attempt: number;
}

/** How the endpoint answers, and after how long; null: never. */
export type Reply = { afterMs: number; status: number | 'reset'; retryAfter?: string } | null;

/** What a process tells of. Called synchronously. */
export interface Wire {
  arrives(request: Arrival): Reply;
  /** Its sender has read the answer, or has given it up. */
  over(request: Arrival, read: boolean): void;
  /** The process has died. */
  died(): void;
}

export interface ProcessOptions {
  /** Counted. */
  db: Db;
  vault: Vault;
  log: Logger;
  consumerId: string;
  idleAfterMs: number;
  listener: Pick<Listener, 'on'>;
  reportHead: DeliverDeps['reportHead'];
  wire: Wire;
}

export interface Process {
  deps: DrainDeps & DeliverDeps;
  gate: Gate;
  died: Promise<void>;
  close(): Promise<void>;
}

/** What the senders of a process share, as in `src/temporal/drains.ts`; its way to Postgres can be cut, and its wire is scripted. */
export function openProcess(options: ProcessOptions): Process {
  const { db, vault, log, consumerId, listener, wire } = options;
  const died = Promise.withResolvers<void>();
  const gate = createGate(db.pipe, die);
  const pages = createPages(gate);
  const progress = createProgress({ query: gate.query, pipe: { ...db.pipe, query: gate.query } });
  const committer = createCommitter({ progress, intervalMs: 25, leaseMs: LEASE_MS.drain, log });
  const tails = {
    records: createTail({ stream: 'records', pages, listener, pollMs: 500, log }),
    events: createTail({ stream: 'events', pages, listener, pollMs: 500, log }),
  };
  const deliveries = new Set<Drain>();
  const requests = new Set<() => void>();
  const unlisten = listener.on(CHANNELS.consumers, () => committer.markAll());
  const timer = setInterval(() => {
    for (const delivery of deliveries) delivery.tick(performance.now());
  }, 50);

  function openSender<M extends Message>(
    config: SenderConfig,
    ended: OnAttemptEnd<M>,
    startBy: () => number,
  ): WebhookSender<M> {
    return createWebhookSender({
      outlet: { dispatch, close: () => Promise.resolve(), destroy: () => Promise.resolve() },
      path: '/hook',
      sign: () => '',
      headers: [],
      consumerId,
      userAgent: 'Millrace/test',
      timeoutMs: config.target.timeoutMs,
      startBy,
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
    const reply = wire.arrives(request);
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
      wire.over(request, read);
    }
    return true;
  }

  function die(): void {
    gate.kill();
    for (const abort of requests) abort();
    wire.died();
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

  const context: DrainContext = {
    pages,
    progress,
    parked: createParkedStore(gate),
    committer,
    tails,
    budget: createBudget({ requests: 4_096, bytes: 1e9 }),
    loadConfig: (id) => loadSenderConfig(gate, vault, id),
    openSender,
    idleAfterMs: options.idleAfterMs,
    retryWindowMs: WINDOW_MS,
    timeBudgetMs: 3_600_000,
    log,
  };
  const deps = {
    context,
    leaseMs: LEASE_MS.drain,
    holder: randomUUID(),
    register: (delivery: Drain) => {
      deliveries.add(delivery);
      return () => void deliveries.delete(delivery);
    },
    openSingle: openSender as DeliverDeps['openSingle'],
    reportHead: options.reportHead,
  };
  return { deps, gate, died: died.promise, close };
}

// ── Postgres ─────────────────────────────────────────────────────────────────────────────

export interface Busy {
  readonly open: number;
  wrote: boolean;
  track<T>(work: Promise<T>, writes: boolean): Promise<T>;
  /** Resolves when one of those open has ended. */
  next(): Promise<void>;
}

export function createBusy(): Busy {
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

export function counted(db: Db, busy: Busy): Db {
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
export interface Gate extends Sql {
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
