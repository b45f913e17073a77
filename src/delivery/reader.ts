import type { Logger } from 'pino';

import type { Turns } from '../flow/budget.ts';
import type { SlidingWindow } from '../flow/slidingWindow.ts';
import type { Turn } from '../flow/turn.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Entry } from '../streams/entry.ts';
import type { Pages } from '../streams/pages.ts';
import type { Since } from '../streams/recentEntries.ts';
import type { Tail } from '../streams/tail.ts';
import type { FilterStack } from './filterStack.ts';
import type { Intake } from './intake.ts';
import { startFaultOf } from './startFault.ts';

const PAGE = { limit: 1_000, maxBytes: 4 * 1024 * 1024, scanRows: 50_000 };
const RETRY_MS = 500;
/** The least that an entry is assumed to hold: its envelope. It bounds the rows of a page with few bytes. */
const LEAST_ENTRY_BYTES = 256;

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
  intake: Pick<Intake, 'wantsMore' | 'room' | 'reserve' | 'accept'>;
  /** Limits how many pages are read at the same time in the process. */
  turns: Turns;
  /** How long conditions are evaluated before other work gets its turn. */
  turn: Turn;
  /** Called when everything that can be read without waiting has been read. */
  filled: () => void;
  /** Called to read on once other work has had its turn. */
  fillAgain: () => void;
  /** Called with an error that will not pass by itself; nothing is read after it. */
  failed: (error: unknown) => void;
  log: Logger;
}

/** Reads a consumer's matching entries before they are sent: from the shared tail, or page by page. */
export interface Reader {
  /** Reads on while more is wanted, one page at a time. */
  fill(): void;
  /** Reads what can be read without waiting, and has nothing of it sent yet. */
  catchUp(): void;
  /** Discards the page that is being read, because the filter has changed; it is read again with the new one. */
  forget(): void;
}

/** Creates the reader of one drain. */
export function createReader(options: ReaderOptions): Reader {
  const { stream, pages, tail, slidingWindow, filters, intake, turn } = options;
  let reading = false;
  let broken = false;
  let generation = 0;
  let pausedUntil = 0;
  let laterFill = false;

  function fill(): void {
    catchUp();
    options.filled(); // also what had been read before, if nothing can be read now
  }

  function catchUp(): void {
    const now = performance.now();
    if (reading || now < pausedUntil || laterFill) return;
    if (filters.hasCondition && turn.isOver()) {
      readLater();
      return;
    }
    while (intake.wantsMore()) {
      const bytes = Math.floor(Math.min(PAGE.maxBytes, intake.room(fill)));
      if (bytes <= 0) break;
      const room = Math.min(PAGE.limit, options.maxSpan - slidingWindow.span);
      const page = tail.since(slidingWindow.readTo, room, filters.onlySync);
      if (page === null) {
        if (tail.end !== null && options.turns.begin(fill)) {
          void readPage(Math.min(room, rowsIn(bytes)), bytes);
        }
        break;
      }
      if (page.scannedTo <= slidingWindow.readTo) break; // caught up
      offerSome(page, bytes);
      if (laterFill) break;
    }
  }

  /** Offers entries of the tail until the accepted ones hold so many bytes, or their condition has taken its time. */
  function offerSome({ entries, from, to, scannedTo }: Since, bytes: number): void {
    const upTo = slidingWindow.bytes + bytes;
    const takesTurns = filters.hasCondition;
    for (let index = from; index < to; index += 1) {
      const entry = entries[index];
      offer(entry);
      if (entry === undefined) continue;
      if (slidingWindow.bytes < upTo && !(takesTurns && turn.isOver())) continue;
      slidingWindow.scanned(entry.position);
      if (slidingWindow.bytes < upTo) readLater();
      return;
    }
    slidingWindow.scanned(scannedTo);
  }

  function readLater(): void {
    laterFill = true;
    turn.later(() => {
      laterFill = false;
      options.fillAgain();
    });
  }

  async function readPage(limit: number, maxBytes: number): Promise<void> {
    reading = true;
    intake.reserve(maxBytes);
    const readBy = generation;
    const { filter, until } = filters.reading(slidingWindow.readTo);
    try {
      const after = slidingWindow.readTo;
      const upTo = until === null ? {} : { until };
      const page = await pages.read({ stream, after, ...upTo, filter, ...PAGE, limit, maxBytes });
      if (filters.hasCondition) await offerInTurns(page.entries, readBy);
      else if (readBy === generation) for (const entry of page.entries) offer(entry);
      if (readBy === generation) slidingWindow.scanned(page.scannedTo);
    } catch (error) {
      if (startFaultOf(error) !== null) {
        broken = true; // nothing more is read
        options.failed(error);
        return;
      }
      const fields = { err: error, consumer_id: options.consumerId };
      options.log.warn(fields, 'a page could not be read; trying again');
      pausedUntil = performance.now() + RETRY_MS;
    } finally {
      reading = broken;
      intake.reserve(0);
      options.turns.end();
    }
    fill();
  }

  /** Offers the entries of a page until it is discarded. */
  async function offerInTurns(entries: Entry[], readBy: number): Promise<void> {
    for (const entry of entries) {
      if (readBy !== generation) return;
      offer(entry);
      if (!turn.isOver()) continue;
      slidingWindow.scanned(entry.position);
      options.filled();
      await new Promise<void>((resolve) => void turn.later(resolve));
    }
  }

  function offer(entry: Entry | undefined): void {
    if (entry !== undefined && !entry.superseded && filters.passes(entry)) intake.accept(entry);
  }

  return {
    fill,
    catchUp,
    forget: () => {
      generation += 1;
    },
  };
}

/** The largest number of rows in a page of so many bytes: a power of two, so that few statements are prepared. */
function rowsIn(bytes: number): number {
  return 2 ** Math.floor(Math.log2(Math.max(1, bytes / LEAST_ENTRY_BYTES)));
}
