import { compile } from '../../src/rules/filter.ts';
import type { StreamName } from '../../src/schema/stream.ts';
import type { Entry } from '../../src/streams/entry.ts';
import { createFollowers } from '../../src/streams/followers.ts';
import type { Pages } from '../../src/streams/pages.ts';
import { createRecentEntries } from '../../src/streams/recentEntries.ts';
import type { Tail } from '../../src/streams/tail.ts';
import type { VisitedModel } from './visitedModel.ts';

const MOST_BYTES = 32 * 1024 * 1024;

/** A tail that reads when it is asked to; its memory and its followers are those of any tail. */
export interface HeldTail {
  tail: Tail;
  /** Begins at a position, without anything before it. */
  start(position: number): void;
  /** Reads on among all entries of the stream. */
  read(all: readonly Entry[]): void;
}

export function createHeldTail(stream: StreamName, maxEntries: number): HeldTail {
  const supersedes = stream === 'records';
  const recent = createRecentEntries({ maxEntries, maxBytes: MOST_BYTES, supersedes });
  const followers = createFollowers();
  let told: number | null = null;

  return {
    tail: {
      follow: (advanced, syncs = null, collections = null) => {
        const leave = followers.add(advanced, syncs, collections);
        return () => {
          leave();
          if (followers.size > 0) return;
          recent.clear();
          told = null;
        };
      },
      since: recent.since,
      get end() {
        return recent.end;
      },
      get told() {
        return told;
      },
      close: () => undefined,
    },
    start: (position) => {
      recent.clear();
      recent.start(position);
      followers.tellAll();
      told = position;
    },
    read: (all) => {
      if (recent.end === null) return;
      const before = recent.end;
      const read = all.filter((one) => one.position > before);
      recent.add(read, all.at(-1)?.position ?? before);
      followers.tell(read, before);
      told = recent.end;
    },
  };
}

/** Reads pages of the entries that a model knows, as Postgres does. */
export function pagesOf(model: VisitedModel): Pages {
  const read: Pages['read'] = async ({ after, until = model.end, filter, limit }) => {
    const matches = compile(filter);
    const end = Math.min(until, model.end);
    const found = model
      .entries()
      .filter((one) => one.position > after && one.position <= end && matches(one))
      .filter((one) => !model.isSuperseded(one.position))
      .slice(0, limit)
      .map((one) => ({ ...one, superseded: false }));
    const scannedTo = found.length < limit ? Math.max(end, after) : (found.at(-1)?.position ?? end);
    return { entries: found, scannedTo, last: model.end, first: 1 };
  };
  const entryAt: Pages['entryAt'] = async (_stream, position) => {
    const found = model.entries()[position - 1];
    return found === undefined || model.isSuperseded(position) ? null : found;
  };
  return { read, entryAt } as Pages;
}

/** The same pages, of which those that are read between `holdPages` and the call of what it returns come only then. */
export function heldPages(all: Pages): { pages: Pages; holdPages: () => () => void } {
  let gate: Promise<void> | null = null;
  const read: Pages['read'] = async (page) => {
    if (gate !== null) await gate;
    return all.read(page);
  };
  return {
    pages: { ...all, read },
    holdPages: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return () => {
        gate = null;
        resolve();
      };
    },
  };
}
