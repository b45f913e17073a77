import type { Logger } from 'pino';

import { CHANNELS } from '../db/channels.ts';
import type { Listener } from '../db/listener.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Pages } from '../streams/pages.ts';
import type { Idle, LeaderStore, Matched } from './leaderStore.ts';
import { createWakeIndex, type WakeIndex } from './wakeIndex.ts';

const STREAMS: StreamName[] = ['records', 'events'];
const KEYS_PER_STEP = 5_000;
const LEASE_MS = 5_000;
const ADVANCE_MS = 200;
/**
 * One signal a consumer at once. Temporal keeps one that it took, so a repetition only guards
 * against the unforeseen, and many of them would slow the wakes that wait: after 5 s, doubling to
 * a minute. One that Temporal did not take is repeated with the next sweep.
 */
const FIRST_REPEAT_MS = 5_000;
const SWEEP_MS = 1_000;
const LAST_REPEAT_MS = 60_000;
const SIGNALS_AT_ONCE = 32;

export interface WakeOptions {
  store: LeaderStore;
  pages: Pages;
  listener: Pick<Listener, 'on'>;
  holder: string;
  /** Tells the consumer's workflow, starting it if there is none. */
  signal: (consumerId: string, wanted: number) => Promise<void>;
  /** Between two looks without a hint, ms. */
  pollMs: number;
  log: Logger;
}

export interface Wake extends AsyncDisposable {
  readonly leads: boolean;
  /** How many idle consumers are watched here. */
  readonly watched: number;
}

/**
 * One leader a cluster follows both streams for all idle consumers and wakes those that an entry
 * is for. Waking is a level: what is wanted stays in the cursor until a sender takes it, and the
 * signal is repeated until then.
 */
export function startWake(options: WakeOptions): Wake {
  const { store, log } = options;
  const indexes: Record<StreamName, WakeIndex> = {
    records: createWakeIndex(),
    events: createWakeIndex(),
  };
  const stored: Record<StreamName, number> = { records: 0, events: 0 }; // the position in Postgres
  const seen: Record<StreamName, number> = { records: 0, events: 0 }; // matched, at or above it
  const advancedAt: Record<StreamName, number> = { records: 0, events: 0 };
  const followedAt: Record<StreamName, number> = { records: 0, events: 0 };
  const fresh = new Map<string, number>(); // wanted since the last round of signals
  const signalled = new Map<string, { at: number; waitMs: number }>();
  let epoch: number | null = null;
  let leadUntil = 0;
  let running: Promise<void> | null = null;
  let again = false;
  let closed = false;
  let lookAgainAt = 0;
  let sweepAt = 0;

  const stops = [
    options.listener.on(CHANNELS.records, hint),
    options.listener.on(CHANNELS.events, hint),
    options.listener.on(CHANNELS.idle, look),
    options.listener.on(CHANNELS.consumers, look),
  ];
  const timer = setInterval(hint, options.pollMs);
  hint();

  /** There may be newly idle consumers. */
  function look(): void {
    lookAgainAt = 0;
    hint();
  }

  function hint(): void {
    again = true;
    if (running !== null || closed) return;
    running = run().finally(() => {
      running = null;
      if (again && !closed) setImmediate(hint);
    });
  }

  async function run(): Promise<void> {
    while (again && !closed) {
      again = false;
      try {
        await step();
      } catch (error) {
        log.warn({ err: error }, 'waking idle consumers is interrupted; trying again');
        epoch = null; // whatever was half done is read again
        return;
      }
    }
  }

  async function step(): Promise<void> {
    if (!(await lead())) return;
    if (performance.now() >= lookAgainAt) {
      lookAgainAt = performance.now() + options.pollMs;
      await watchNewlyIdle();
    }
    for (const stream of STREAMS) await follow(stream);
    await signalWanting();
  }

  async function lead(): Promise<boolean> {
    const before = epoch;
    if (before !== null && performance.now() < leadUntil - LEASE_MS / 2) return true;
    const askedAt = performance.now();
    epoch = await store.lead(options.holder, before, LEASE_MS);
    if (epoch === null) return false;
    leadUntil = askedAt + LEASE_MS;
    if (epoch !== before) {
      for (const stream of STREAMS) {
        indexes[stream] = createWakeIndex();
        stored[stream] = await store.position(stream);
        seen[stream] = stored[stream];
      }
      await store.unwatchAll();
      lookAgainAt = 0;
      log.info({ epoch }, 'this process wakes idle consumers');
    }
    return true;
  }

  /** A newly idle consumer counts as watched once what came since its position has been matched. */
  async function watchNewlyIdle(): Promise<void> {
    for (;;) {
      const idle = await store.unwatched(500);
      if (idle.length === 0 || !(await lead())) return;
      const matched = await Promise.all(idle.map(matchMissed));
      await store.watch(current(), matched);
      for (const [index, one] of idle.entries()) {
        const position = matched[index]?.position ?? null;
        if (position === null) indexes[one.stream].add(one);
        else fresh.set(one.consumerId, position);
      }
    }
  }

  async function matchMissed(one: Idle): Promise<Matched> {
    const { consumerId, filterVersion, stream } = one;
    const missed = one.position < seen[stream];
    const position = missed
      ? await options.pages.first(stream, one.position, one.filter, seen[stream])
      : null;
    return { consumerId, filterVersion, position };
  }

  async function follow(stream: StreamName): Promise<void> {
    // Nobody is watched: what comes is matched for whoever gets idle, from where it stands.
    const idle = indexes[stream].size === 0;
    if (idle && performance.now() < followedAt[stream] + ADVANCE_MS) return;
    followedAt[stream] = performance.now();
    for (;;) {
      const keys = await options.pages.keys(stream, seen[stream], KEYS_PER_STEP);
      const wanted: Matched[] = [];
      for (const key of keys) {
        for (const { consumerId, filterVersion } of indexes[stream].match(key)) {
          wanted.push({ consumerId, position: key.position, filterVersion });
          indexes[stream].remove(consumerId);
        }
      }
      await advance(stream, keys.at(-1)?.position ?? seen[stream], wanted);
      if (keys.length < KEYS_PER_STEP) return;
    }
  }

  /** The stored position moves with what is wanted; else a few times a second are enough. */
  async function advance(stream: StreamName, to: number, wanted: Matched[]): Promise<void> {
    seen[stream] = to;
    const now = performance.now();
    if (wanted.length === 0 && (to === stored[stream] || now < advancedAt[stream] + ADVANCE_MS))
      return;
    const from = stored[stream];
    if (!(await store.advance({ epoch: current(), stream, from, to, wanted }))) {
      throw new Error('another process leads');
    }
    stored[stream] = to;
    advancedAt[stream] = now;
    for (const { consumerId, position } of wanted) fresh.set(consumerId, position ?? to);
  }

  // ── signals ────────────────────────────────────────────────────────────────────────────

  async function signalWanting(): Promise<void> {
    const now = performance.now();
    for (const consumerId of fresh.keys()) signalled.delete(consumerId);
    const due = new Map(fresh);
    fresh.clear();
    if (now >= sweepAt) {
      sweepAt = now + SWEEP_MS;
      const wanting = await store.wanting(2_000);
      const still = new Set(wanting.map((one) => one.consumerId));
      for (const consumerId of signalled.keys())
        if (!still.has(consumerId)) signalled.delete(consumerId);
      for (const { consumerId, wanted } of wanting) {
        const last = signalled.get(consumerId);
        if (last === undefined || now >= last.at + last.waitMs) due.set(consumerId, wanted);
      }
    }
    void send([...due]);
  }

  /** Signals a few at a time, so that many wakes do not crowd out one. */
  async function send(due: [string, number][]): Promise<void> {
    const queue = due[Symbol.iterator]();
    const lanes = Array.from({ length: Math.min(SIGNALS_AT_ONCE, due.length) }, async () => {
      for (const [consumerId, wanted] of queue) await signalOne(consumerId, wanted);
    });
    await Promise.all(lanes);
  }

  async function signalOne(consumerId: string, wanted: number): Promise<void> {
    const last = signalled.get(consumerId);
    const waitMs = last === undefined ? FIRST_REPEAT_MS : Math.min(last.waitMs * 2, LAST_REPEAT_MS);
    signalled.set(consumerId, { at: performance.now(), waitMs });
    try {
      await options.signal(consumerId, wanted);
    } catch (error) {
      signalled.set(consumerId, { at: performance.now(), waitMs: SWEEP_MS });
      log.warn(
        { err: error, consumer_id: consumerId },
        'a wake did not reach its workflow; it is repeated',
      );
    }
  }

  function current(): number {
    if (epoch === null) throw new Error('this process does not lead');
    return epoch;
  }

  return {
    get leads() {
      return epoch !== null && performance.now() < leadUntil;
    },
    get watched() {
      return indexes.records.size + indexes.events.size;
    },
    [Symbol.asyncDispose]: async () => {
      closed = true;
      clearInterval(timer);
      for (const stop of stops) stop();
      await running;
      if (epoch !== null) {
        await store.resign(epoch).catch((error: unknown) => {
          log.warn({ err: error }, 'the lead was not given up; it runs out by itself');
        });
      }
    },
  };
}
