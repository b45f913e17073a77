import type { FailureHandler } from '../failure/failureHandler.ts';
import type { Outgoing } from '../failure/outgoing.ts';
import type { ParkedEntries } from '../failure/parkedEntries.ts';
import type { ParkedRetries } from '../failure/parkedRetries.ts';
import type { InFlightLimit } from '../flow/inFlightLimit.ts';
import type { Pace } from '../flow/pace.ts';
import type { SlidingWindow } from '../flow/slidingWindow.ts';
import type { Turn } from '../flow/turn.ts';
import type { Entry } from '../streams/entry.ts';
import type { Tail } from '../streams/tail.ts';
import type { FilterStack } from './filterStack.ts';
import type { Outage } from './outage.ts';
import type { Reader } from './reader.ts';
import { goesTheSameWay, mostInFlight, type SenderConfig } from './senderConfig.ts';

/** More is read while a condition is evaluated on what was read; the rest is left to `apply` at some point. */
const MOST_PREPARATIONS = 5;

/** The parts of a drain that a newer configuration changes. */
export interface ReconfigureOptions {
  filters: FilterStack;
  tail: Pick<Tail, 'follow'>;
  reader: Reader;
  slidingWindow: Pick<SlidingWindow<Entry>, 'unsettled'>;
  failures: Pick<FailureHandler, 'closed'>;
  parked: Pick<ParkedEntries, 'keepOnly' | 'withBodies'>;
  retries: Pick<ParkedRetries, 'reload' | 'recheck'>;
  limit: Pick<InFlightLimit, 'setMax'>;
  pace: Pick<Pace, 'change'>;
  outage: Pick<Outage, 'reconfigured'>;
  /** How long conditions are evaluated before other work gets its turn. */
  turn: Turn;
  /** The highest position that was read; a filter that takes effect now applies above it. */
  readTo: () => number;
  /** Sends to the target of `next` from now on. */
  redirect: (next: SenderConfig) => void;
  /** Ends requests that wait and may not start any more. */
  letGo: () => void;
  /** Called when there is something to store. */
  mark: () => void;
  /** Called with each change: the drain no longer rests. */
  stir: () => void;
}

/** Puts a newer configuration into force while a drain runs. */
export interface Reconfigure {
  /** Decides what a new condition lets through of what was read, so that `apply` takes no time for that. */
  prepare(next: SenderConfig, before: SenderConfig): Promise<void>;
  /** Changes what differs between the two. */
  apply(next: SenderConfig, before: SenderConfig): void;
  /** Stops following the tail. */
  leave(): void;
}

/** Begins to follow the tail for the drain's filter. */
export function createReconfigure(options: ReconfigureOptions): Reconfigure {
  const { filters, tail, reader, parked } = options;
  let unfollow = tail.follow(reader.fill, filters.syncs, filters.collections);

  async function prepare(next: SenderConfig, before: SenderConfig): Promise<void> {
    if (next.filterVersion === before.filterVersion) return;
    const asked = new Set<Entry>();
    for (let times = 0; times < MOST_PREPARATIONS; times += 1) {
      const unasked = inMemory().filter((entry) => !asked.has(entry));
      if (unasked.length === 0) return;
      for (const entry of unasked) asked.add(entry);
      await filters.prepare(next.filters, unasked, options.turn);
    }
  }

  /** The entries that a newer filter may close at once. */
  function inMemory(): Entry[] {
    const unsettled = [...options.slidingWindow.unsettled()].map(({ entry }) => entry);
    return [...unsettled, ...parked.withBodies()];
  }

  function apply(next: SenderConfig, before: SenderConfig): void {
    options.stir();
    options.outage.reconfigured(next, before);
    if (next.filterVersion !== before.filterVersion) refilter(next);
    if (next.parkedVersion !== before.parkedVersion) void options.retries.reload();
    if (!goesTheSameWay(next, before)) {
      options.redirect(next);
      options.limit.setMax(mostInFlight(next));
      options.pace.change(next.target.rateLimit);
    }
    options.letGo(); // at the end, because the next requests start at once
  }

  function refilter(next: SenderConfig): void {
    // Entries that are no concern of the filter so far move this drain on only now and then: they stay left out.
    reader.catchUp();
    filters.add(next.filters, options.readTo());
    reader.forget();
    const before = unfollow;
    unfollow = tail.follow(reader.fill, filters.syncs, filters.collections);
    before();
    for (const slot of options.slidingWindow.unsettled() as Iterable<Outgoing>) {
      if (slot.closed || filters.passes(slot.entry)) continue;
      slot.closed = true;
      if (!slot.sent) options.failures.closed(slot);
    }
    parked.keepOnly((entry) => filters.matches(entry));
    if (filters.hasCondition) void options.retries.recheck();
    options.mark();
  }

  return { prepare, apply, leave: () => unfollow() };
}
