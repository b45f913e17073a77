import type { Logger } from 'pino';

import type { SlidingWindow } from '../flow/slidingWindow.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Entry } from '../streams/entry.ts';
import type { Pages } from '../streams/pages.ts';
import type { Tail } from '../streams/tail.ts';
import type { FilterStack } from './filterStack.ts';
import { startFaultOf } from './startFault.ts';

const PAGE = { limit: 1_000, maxBytes: 4 * 1024 * 1024, scanRows: 50_000 };
const RETRY_MS = 500;

/** What to read, and where the entries go. */
export interface ReaderOptions {
  stream: StreamName;
  consumerId: string;
  pages: Pages;
  tail: Tail;
  slidingWindow: SlidingWindow<Entry>;
  filters: FilterStack;
  /** The largest number of entries between the position and the newest that was read. */
  maxSpan: number;
  wantsMore: () => boolean;
  /** Takes a matching entry; called in the order of reading. */
  accept: (entry: Entry) => void;
  /** Called when everything that can be read without waiting has been read. */
  filled: () => void;
  /** Called with an error that will not pass by itself; nothing is read after it. */
  failed: (error: unknown) => void;
  log: Logger;
}

/** Reads a consumer's matching entries before they are sent: from the shared tail, or page by page. */
export interface Reader {
  /** Reads on while more is wanted, one page at a time. */
  fill(): void;
  /** Discards the page that is being read, as the filter has changed; it is read again with the new one. */
  forget(): void;
}

/** Creates the reader of one drain. */
export function createReader(options: ReaderOptions): Reader {
  const { stream, pages, tail, slidingWindow, filters } = options;
  let reading = false;
  let generation = 0;
  let pausedUntil = 0;

  function fill(): void {
    if (reading || performance.now() < pausedUntil) {
      options.filled(); // what has been read is sent meanwhile
      return;
    }
    while (options.wantsMore()) {
      const room = Math.min(PAGE.limit, options.maxSpan - slidingWindow.span);
      const page = tail.since(slidingWindow.readTo, room);
      if (page === null) {
        if (tail.end !== null) void readPage(room);
        break;
      }
      if (page.scannedTo <= slidingWindow.readTo) break; // caught up
      for (let index = page.from; index < page.to; index += 1) offer(page.entries[index]);
      slidingWindow.scanned(page.scannedTo);
    }
    options.filled();
  }

  async function readPage(limit: number): Promise<void> {
    reading = true;
    const readBy = generation;
    const { filter, until } = filters.reading(slidingWindow.readTo);
    try {
      const after = slidingWindow.readTo;
      const upTo = until === null ? {} : { until };
      const page = await pages.read({ stream, after, ...upTo, filter, ...PAGE, limit });
      if (readBy === generation) {
        for (const entry of page.entries) offer(entry);
        slidingWindow.scanned(page.scannedTo);
      }
      reading = false;
      fill();
    } catch (error) {
      if (startFaultOf(error) !== null) {
        options.failed(error);
        return; // still reading, so that nothing more is read
      }
      reading = false;
      const fields = { err: error, consumer_id: options.consumerId };
      options.log.warn(fields, 'a page could not be read; trying again');
      pausedUntil = performance.now() + RETRY_MS;
      options.filled(); // what has been read is sent meanwhile
    }
  }

  function offer(entry: Entry | undefined): void {
    if (entry !== undefined && !entry.superseded && filters.passes(entry)) options.accept(entry);
  }

  return {
    fill,
    forget: () => {
      generation += 1;
    },
  };
}
