import { randomUUID } from 'node:crypto';

import type { Logger } from 'pino';

import type { DeliverDeps } from '../../src/activities/deliver.ts';
import type { Db } from '../../src/db/db.ts';
import type { Listener } from '../../src/db/listener.ts';
import type { Vault } from '../../src/db/vault.ts';
import { createDrains, type Drains, type DrainsOptions } from '../../src/temporal/drains.ts';
import { createGate, type Gate } from './gate.ts';
import { createScriptedOutlet, type Wire } from './wire.ts';

export const WINDOW_MS = 86_400_000;
/** How long a lane of visits retries what fails: three attempts, so that few ticks pass meanwhile. */
const VISIT_RETRIES_MS = 20_000;
/** Activities of one process: more than it is ever given. */
const SLOTS = 1_000;

export interface ProcessOptions {
  /** Counted. */
  db: Db;
  vault: Vault;
  log: Logger;
  idleAfterMs: number;
  listener: Pick<Listener, 'on'>;
  reportHead: DeliverDeps['reportHead'];
  /** What a lane of visits needs as well; without it, the process opens none. */
  visits?: Omit<NonNullable<DrainsOptions['visits']>, 'openSender'>;
  wire: Wire;
}

export interface Process {
  deps: Drains['deps'];
  gate: Gate;
  died: Promise<void>;
  close(): Promise<void>;
}

/** A worker's senders; their way to Postgres can be cut, and what they send goes to a scripted wire. */
export function openProcess(options: ProcessOptions): Process {
  const { db, wire, visits, ...rest } = options;
  const died = Promise.withResolvers<void>();
  const gate = createGate(db.pipe, die);
  const pipe = { ...db.pipe, query: gate.query, drop: () => undefined };
  const { openSender, abort } = createScriptedOutlet(wire, () => gate.dead);
  const drains = createDrains({
    ...rest,
    db: { query: gate.query, pipe, leases: pipe },
    openSender,
    ...(visits === undefined ? {} : { visits: { ...visits, openSender } }),
    lingerMs: options.idleAfterMs,
    visitRetriesMs: VISIT_RETRIES_MS,
    holder: randomUUID(),
    now: Date.now,
    retryWindowMs: WINDOW_MS,
    // None is expected: what it would be noted as is the result of the activity.
    faults: {
      note: ({ fault }) => Promise.reject(new Error(fault.detail)),
      clear: () => Promise.resolve(),
    },
    mailWaits: () => undefined,
    slots: SLOTS,
  });

  function die(): void {
    gate.kill();
    abort();
    wire.died();
    void close();
    died.resolve();
  }

  /** What a dead one leaves to Postgres never comes back, so nothing of it is waited for, also if it dies meanwhile. */
  async function close(): Promise<void> {
    const closed = drains[Symbol.asyncDispose]();
    if (!gate.dead) await Promise.race([closed, died.promise]);
  }

  return { deps: drains.deps, gate, died: died.promise, close };
}
