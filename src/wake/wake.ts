import type { Logger } from 'pino';

import { CHANNELS } from '../db/channels.ts';
import type { Listener } from '../db/listener.ts';
import { createInterruptions } from '../process/interruptions.ts';
import { createLoop } from '../process/loop.ts';
import { StreamName } from '../schema/stream.ts';
import type { Pages } from '../streams/pages.ts';
import { createLeadership } from './leadership.ts';
import type { LeaderStore } from './leaderStore.ts';
import type { PacedQueue } from './pacedQueue.ts';
import { createRounds } from './rounds.ts';
import { createStreamFollower, type StreamFollower } from './streamFollower.ts';
import { createWakeSignals } from './wakeSignals.ts';

const UNWATCHED_PER_STEP = 2_000;

export interface WakeOptions {
  store: LeaderStore;
  pages: Pages;
  listener: Pick<Listener, 'on'>;
  holder: string;
  /** Whether lanes of visits send the wanted entries; without them each consumer's own drain does. */
  visits: boolean;
  /** Signals the consumer's workflow, and starts it if it does not run. */
  signal: (consumerId: string, wanted: number) => Promise<void>;
  /** The queue of the process, in which signals wait for their turn. */
  queue: PacedQueue;
  /** The pause between two checks without a NOTIFY, ms. */
  pollMs: number;
  log: Logger;
}

/** Wakes idle consumers until it is disposed of. */
export interface Wake extends AsyncDisposable {
  /** Whether this process is the one that wakes them. */
  readonly leads: boolean;
  /** How many idle consumers this process watches. */
  readonly watched: number;
}

/**
 * Takes part in the election of the one leader of an installation, which follows both streams for all idle
 * consumers and wakes those for which there is an entry. Waking is level-triggered: the wanted position stays
 * in the cursor until a sender takes it, and the hint or the signal is repeated until then.
 */
export function startWake(options: WakeOptions): Wake {
  const { store, log, listener } = options;
  const signals = createWakeSignals({ ...options, store: { wanting: createRounds(store) } });
  const leadership = createLeadership({ ...options, begin });
  const followers = { records: follower('records'), events: follower('events') };
  const interruptions = createInterruptions(
    log,
    'waking idle consumers was interrupted; trying again',
  );
  const loop = createLoop({
    turn: step,
    failed: (error) => {
      interruptions.note(error);
      signals.drop();
      leadership.startOver(); // work that was half done is read again
    },
  });
  let lookAgainAt = 0;
  const toFollow = new Set<StreamName>(); // the streams that may have grown

  const stops = [
    listener.on(CHANNELS.records, () => appended('records')),
    listener.on(CHANNELS.events, () => appended('events')),
    listener.on(CHANNELS.created, look),
    listener.on(CHANNELS.idle, look),
    listener.on(CHANNELS.consumers, look),
  ];
  const timer = setInterval(lookAtAll, options.pollMs);
  lookAtAll();

  function follower(stream: StreamName): StreamFollower {
    const { epoch } = leadership;
    // The transaction that notes the wanted positions also hints the lanes of visits.
    const wanted = options.visits ? () => undefined : signals.want;
    return createStreamFollower({ ...options, stream, epoch, wanted });
  }

  function appended(stream: StreamName): void {
    toFollow.add(stream);
    loop.ask();
  }

  function lookAtAll(): void {
    mayHaveGrown();
    loop.ask();
  }

  function mayHaveGrown(): void {
    for (const stream of StreamName.options) toFollow.add(stream);
  }

  /** Looks for newly idle consumers as soon as possible. */
  function look(): void {
    lookAgainAt = 0;
    loop.ask();
  }

  async function step(): Promise<void> {
    if (!(await leadership.lead())) {
      signals.drop(); // the leader has to signal them
      return;
    }
    if (performance.now() >= lookAgainAt) {
      lookAgainAt = performance.now() + options.pollMs;
      await watchNewlyIdle();
      if (!options.visits) await leaveToDrains();
    }
    for (const stream of StreamName.options) {
      if (!toFollow.delete(stream)) continue; // what is appended from now on asks again
      if (!(await followers[stream].follow())) toFollow.add(stream);
    }
    await sweep();
  }

  /** Has repetitions of signals looked for. What that fails with says nothing of what is followed. */
  async function sweep(): Promise<void> {
    try {
      await signals.sweep();
      interruptions.over();
    } catch (error) {
      interruptions.note(error);
    }
  }

  async function begin(): Promise<void> {
    mayHaveGrown();
    await followers.records.begin();
    await followers.events.begin();
    await store.unwatchAll();
    lookAgainAt = 0;
  }

  /** Watches newly idle consumers, once the entries appended since their positions have been matched. */
  async function watchNewlyIdle(): Promise<void> {
    for (;;) {
      const idle = await store.unwatched(UNWATCHED_PER_STEP);
      if (idle.length === 0 || !(await leadership.lead())) return;
      const matched = await Promise.all(idle.map((one) => followers[one.stream].matchSkipped(one)));
      await store.watch(leadership.epoch(), matched);
      let someWanted = false;
      for (const [index, one] of idle.entries()) {
        const position = matched[index]?.position ?? null;
        const { filter } = one;
        if (position === null && filter !== null) followers[one.stream].watch({ ...one, filter });
        if (position === null) continue;
        someWanted = true;
        if (!options.visits) signals.want(one.consumerId, position);
      }
      if (someWanted && options.visits) await store.hintVisits();
    }
  }

  /** Signals consumers that lanes of visits were to serve, such as new ones for which entries wait. */
  async function leaveToDrains(): Promise<void> {
    for (const { consumerId, wanted } of await store.leaveToDrains())
      signals.want(consumerId, wanted);
  }

  return {
    get leads() {
      return leadership.leads;
    },
    get watched() {
      return followers.records.watched + followers.events.watched;
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      for (const stop of stops) stop();
      await loop.close();
      signals.drop();
      await leadership.resign();
    },
  };
}
