import type { StreamName } from '../schema/stream.ts';
import type { Entry } from '../streams/entry.ts';
import type { Tail } from '../streams/tail.ts';

type Tails = Record<StreamName, Tail>;

/**
 * The tails for a drain that takes over a request that has begun, if one has: its entry does not count as superseded,
 * because the drain has to have it to learn how the request ends. What the endpoint has answered counts, with its
 * `Retry-After`, whatever has become of the record.
 */
export function withBegun(tails: Tails, stream: StreamName, begun: { entry: Entry } | null): Tails {
  return begun === null ? tails : { ...tails, [stream]: keeping(tails[stream], begun.entry) };
}

function keeping(tail: Tail, begun: Entry): Tail {
  return {
    follow: (...given) => tail.follow(...given),
    since: (after, limit, sync) => {
      const page = tail.since(after, limit, sync);
      if (page === null || after >= begun.position || !begun.superseded) return page;
      const part = page.entries.slice(page.from, page.to);
      const at = part.findIndex(({ position }) => position === begun.position);
      if (at === -1) return page;
      const entries = part.with(at, { ...begun, superseded: false });
      return { entries, from: 0, to: part.length, scannedTo: page.scannedTo };
    },
    get end() {
      return tail.end;
    },
    get told() {
      return tail.told;
    },
    close: () => tail.close(),
  };
}
