import type { Logger } from 'pino';

import { unstartedConsumers, type Unstarted } from '../consumers/consumerRows.ts';
import { targetHost } from '../consumers/consumerSnapshot.ts';
import { CHANNELS } from '../db/channels.ts';
import type { Sql } from '../db/db.ts';
import type { Listener } from '../db/listener.ts';
import { createInterruptions } from '../process/interruptions.ts';
import { createLoop } from '../process/loop.ts';
import type { PacedQueue } from '../wake/pacedQueue.ts';
import { createRepetitions } from '../wake/repetitions.ts';
import type { Workflows } from './workflowClient.ts';

export interface FirstStartsOptions {
  db: Sql;
  listener: Pick<Listener, 'on'>;
  start: Workflows['start'];
  /** The queue of the process, in which starts wait for their turn. */
  queue: Pick<PacedQueue, 'put' | 'has' | 'drop'>;
  /** Whether this process is the leader. */
  leads: () => boolean;
  log: Pick<Logger, 'warn'>;
}

/** The pause between two checks while there are workflows to start, ms. */
const LOOK_MS = 200;
/** The pause between two checks without a hint, ms. */
const POLL_MS = 5_000;
/**
 * At most so many workflows are started that have not begun yet: more would only wait in Temporal, and delay
 * the workflows of others.
 */
const MOST_OPEN = 64;
/**
 * A workflow that has not begun after so long no longer counts, because something else must keep it from
 * beginning, ms.
 */
const OPEN_MS = 10_000;
const READ = 4 * MOST_OPEN;

/**
 * Starts the workflows of new consumers, the oldest first, while this process is the leader, as fast as
 * Temporal and the workers can follow. A new consumer is served without its workflow, so wakes and hand-overs
 * go before its start. A consumer is new until its workflow has read its row; so the next leader makes the
 * starts that were left by a process that died.
 */
export function startFirstStarts(options: FirstStartsOptions): {
  /** Stops; resolves when the last look has ended. */
  close(): Promise<void>;
} {
  const { db, queue, leads } = options;
  const repetitions = createRepetitions();
  const begunAt = new Map<string, number>(); // when each was last started, monotonic ms
  let lookAt = 0;
  let isHinted = true;
  const interruptions = createInterruptions(
    options.log,
    'starting workflows was interrupted; trying again',
  );
  const loop = createLoop({
    turn: look,
    failed: interruptions.note,
  });
  const unlisten = options.listener.on(CHANNELS.created, hint);
  const timer = setInterval(askIfDue, LOOK_MS);

  function hint(): void {
    isHinted = true;
    if (performance.now() >= lookAt) loop.ask();
  }

  function askIfDue(): void {
    if (isHinted || performance.now() >= lookAt + POLL_MS) loop.ask();
  }

  async function look(): Promise<void> {
    if (!leads()) {
      queue.drop((key) => key.startsWith(KEY)); // the leader has to start them
      return;
    }
    isHinted = false;
    lookAt = performance.now() + LOOK_MS;
    const unstarted = await unstartedConsumers(db, READ);
    if (unstarted.length > 0) isHinted = true; // until none is left
    startSome(unstarted, performance.now());
    interruptions.over();
  }

  function startSome(unstarted: readonly Unstarted[], now: number): void {
    const ids = new Set(unstarted.map(({ id }) => id));
    repetitions.keep(ids);
    for (const id of begunAt.keys()) if (!ids.has(id)) begunAt.delete(id);
    let open = unstarted.filter(({ id }) => isOpen(id, now)).length;
    for (const one of unstarted) {
      if (open >= MOST_OPEN) return;
      if (queue.has(startKey(one.id)) || !repetitions.isDue(one.id, now)) continue;
      if (!isOpen(one.id, now)) open += 1;
      queue.put({ key: startKey(one.id), isRepetition: true, act: () => start(one) });
    }
  }

  function isOpen(id: string, now: number): boolean {
    return queue.has(startKey(id)) || now - (begunAt.get(id) ?? -Infinity) < OPEN_MS;
  }

  async function start(one: Unstarted): Promise<void> {
    const { id, region, name, targetName, targetId, url } = one;
    const activeAt = { targetHost: targetHost(url), targetId };
    try {
      await options.start(id, { region, name, targetName, activeAt });
    } catch (error) {
      repetitions.notTaken(id, performance.now());
      throw error;
    }
    repetitions.sent(id, performance.now());
    begunAt.set(id, performance.now());
  }

  async function close(): Promise<void> {
    clearInterval(timer);
    unlisten();
    await loop.close();
  }

  return { close };
}

const KEY = 'start ';

/** The key of a consumer's start in the queue. */
export function startKey(consumerId: string): string {
  return KEY + consumerId;
}
