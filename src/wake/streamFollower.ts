import type { Logger } from 'pino';

import { isDatabaseAway, isTimeout } from '../db/errors.ts';
import type { Matched } from '../progress/cursors.ts';
import { compile } from '../rules/filter.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Pages } from '../streams/pages.ts';
import type { Idle, LeaderStore } from './leaderStore.ts';
import { createRecentKeys } from './recentKeys.ts';
import { createWakeIndex, type WatchedConsumer } from './wakeIndex.ts';

/** Follows one stream for the idle consumers that are watched on it, while this process is the leader. */
export interface StreamFollower {
  /** Begins under a new epoch: at the stored position, with no consumer watched. */
  begin(): Promise<void>;
  /**
   * Finds the first matching entry between the consumer's position and this follower's. If that is not
   * possible, because the filter can't be read, the consumer counts as wanting the next entry: its sender then
   * reports what is wrong, and no other consumer is held up.
   */
  matchSkipped(idle: Idle): Promise<Matched>;
  /** Matches all entries from now on for this consumer, until it wants one. */
  watch(idle: WatchedConsumer): void;
  /** Matches what has been appended, up to the end of the stream. False: it is not time yet, so ask again. */
  follow(): Promise<boolean>;
  /** How many consumers are watched. */
  readonly watched: number;
}

export interface StreamFollowerOptions {
  stream: StreamName;
  store: Pick<LeaderStore, 'position' | 'advance'>;
  pages: Pick<Pages, 'keys' | 'first'>;
  /** Throws when this process is not the leader. */
  epoch: () => number;
  log: Pick<Logger, 'warn'>;
  /** Called once it is stored that the consumer wants the entry at this position. */
  wanted: (consumerId: string, position: number) => void;
}

const KEYS_PER_STEP = 5_000;
/** The pause between writes that only move the position, and between checks while no consumer is watched, ms. */
const ADVANCE_MS = 200;

/** Creates a follower; `begin` has to be called before anything else. */
export function createStreamFollower(options: StreamFollowerOptions): StreamFollower {
  const { stream, store, pages } = options;
  const recent = createRecentKeys();
  let index = createWakeIndex();
  let stored = 0; // the leader's position in Postgres
  let seen = 0; // everything up to here has been matched; at or above `stored`
  let advancedAt = 0;
  let followedAt = 0;

  async function begin(): Promise<void> {
    index = createWakeIndex();
    stored = await store.position(stream);
    seen = stored;
    recent.begin(seen);
  }

  async function matchSkipped(idle: Idle): Promise<Matched> {
    const { consumerId, filterVersion, filter } = idle;
    const next = { consumerId, filterVersion, position: idle.position + 1 };
    if (filter === null) return next;
    if (idle.position >= seen) return { consumerId, filterVersion, position: null };
    const known = recent.first(idle.position, compile(filter));
    if (known !== undefined) return { consumerId, filterVersion, position: known };
    try {
      const position = await pages.first(stream, idle.position, filter, seen);
      return { consumerId, filterVersion, position };
    } catch (error) {
      if (isDatabaseAway(error) || isTimeout(error)) throw error;
      options.log.warn({ err: error, consumer_id: consumerId }, 'a filter could not be matched');
      return next;
    }
  }

  async function follow(): Promise<boolean> {
    // While no consumer is watched, there is no hurry: a consumer that becomes idle is matched from its position.
    const now = performance.now();
    if (index.size === 0 && now < followedAt + ADVANCE_MS) return false;
    followedAt = now;
    for (;;) {
      const keys = await pages.keys(stream, seen, KEYS_PER_STEP);
      recent.add(keys);
      const wanted: Wanted[] = [];
      for (const key of keys) {
        for (const { consumerId, filterVersion } of index.match(key)) {
          wanted.push({ consumerId, position: key.position, filterVersion });
          index.remove(consumerId);
        }
      }
      await advance(keys.at(-1)?.position ?? seen, wanted);
      if (keys.length < KEYS_PER_STEP) return true;
    }
  }

  /** Stores the position and the wanted entries; if there are none, a few times a second are enough. */
  async function advance(to: number, wanted: Wanted[]): Promise<void> {
    seen = to;
    const now = performance.now();
    if (wanted.length === 0 && (to === stored || now < advancedAt + ADVANCE_MS)) return;
    const step = { epoch: options.epoch(), stream, from: stored, to, wanted };
    if (!(await store.advance(step))) throw new Error('another process leads');
    stored = to;
    advancedAt = now;
    for (const { consumerId, position } of wanted) options.wanted(consumerId, position);
  }

  return {
    begin,
    matchSkipped,
    watch: (idle) => index.add(idle),
    follow,
    get watched() {
      return index.size;
    },
  };
}

type Wanted = Matched & { position: number };
