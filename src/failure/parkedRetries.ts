import type { Logger } from 'pino';

import type { Dispatcher } from '../flow/dispatcher.ts';
import type { InFlightLimit } from '../flow/inFlightLimit.ts';
import { inTurn, type Turn } from '../flow/turn.ts';
import type { LoadedBody, ParkedStore } from '../progress/parkedRows.ts';
import { HELD_OF_RECORD } from './heldLanes.ts';
import type { Outgoing } from './outgoing.ts';
import type { ParkedEntries } from './parkedEntries.ts';
import type { ParkedEntry } from './parkedEntry.ts';
import { recheckParked } from './parkedRechecks.ts';

/** So many of the entries that wait behind a head are loaded at a time. */
const AT_A_TIME = HELD_OF_RECORD;

/** How long an entry is postponed whose body could not be read. */
const UNREADABLE_MS = 1_000;

export interface ParkedRetriesOptions {
  consumerId: string;
  parked: ParkedEntries;
  store: ParkedStore;
  /** How many bytes of bodies may be read now; one body is read even if it is 0. */
  room: () => number;
  dispatcher: Pick<Dispatcher<Outgoing>, 'putBack' | 'pump'>;
  limit: Pick<InFlightLimit, 'limit'>;
  /** How long conditions are evaluated before other work gets its turn. */
  turn: Turn;
  /** Whether the filter has a condition, so that `load` may take milliseconds. */
  hasCondition: () => boolean;
  /** Called when there is something to store. */
  mark: () => void;
  log: Logger;
}

/** Sends parked entries again when they are due, and takes over what commands have changed about them. */
export interface ParkedRetries {
  /** Called every few tens of ms: reads the bodies of the entries that are due, and sends them. */
  tick(): void;
  /** Reads the rows again after they were changed from outside. */
  reload(): Promise<void>;
  /** Closes the entries that no longer satisfy the condition of the filter, whose bodies have to be read for that. */
  recheck(): Promise<void>;
  /** Whether `tick` has nothing to do until an entry is parked or `reload` is called. */
  readonly resting: boolean;
}

/** Creates the retries of one drain. */
export function createParkedRetries(options: ParkedRetriesOptions): ParkedRetries {
  const { consumerId, parked, store, dispatcher, limit, turn, log } = options;
  let loading = false;
  let sending = false; // one at a time, as the bodies that were read count only once they are taken
  let stale = false; // some rows could not be taken over when they were read

  function tick(): void {
    if (stale && !parked.unwritten) void reload();
    else if (parked.size > 0) void sendDue();
    if (parked.size > 0 && !loading && !parked.unwritten) void loadNext();
  }

  /** Loads the next entries of records whose entries in memory have gone out. */
  async function loadNext(): Promise<void> {
    const records = parked.toLoad();
    if (records.length === 0) return;
    loading = true;
    try {
      const rows = await store.ofRecords(consumerId, records, AT_A_TIME);
      parked.loadRecords(records, rows, AT_A_TIME);
      options.mark();
    } catch (error) {
      log.warn({ err: error, consumer_id: consumerId }, 'parked entries could not be read');
    } finally {
      loading = false;
    }
  }

  async function sendDue(): Promise<void> {
    const room = options.room();
    if (sending || (room <= 0 && parked.bodies.bytes > 0)) return;
    // At most half of the requests that may be in flight, so that entries that hang again leave room for the
    // others.
    const due = parked.due(Math.max(1, Math.floor(limit.limit / 2)));
    if (due.length === 0) return;
    sending = true;
    let next = 0;
    try {
      const positions = due.map((one) => one.entry.position);
      const bodies = await store.bodies(consumerId, positions, Math.max(1, Math.floor(room)));
      for (; next < due.length; next += 1) {
        const one = due[next] as ParkedEntry;
        const loaded = bodies.get(one.entry.position);
        if (!options.hasCondition()) take(one, loaded);
        else {
          await inTurn(turn, () => take(one, loaded));
          dispatcher.pump();
        }
      }
    } catch (error) {
      for (const one of due.slice(next)) parked.postpone(one, UNREADABLE_MS);
      log.warn({ err: error, consumer_id: consumerId }, 'parked entries could not be read');
    }
    sending = false;
    dispatcher.pump();
  }

  /** Sends an entry whose body has been read, unless it need not be sent any more; null: there was no room for its body. */
  function take(one: ParkedEntry, loaded: LoadedBody | null | undefined): void {
    if (loaded === null) parked.postpone(one, 0);
    else if (parked.load(one, loaded)) dispatcher.putBack(toOutgoing(one));
    else options.mark();
  }

  async function reload(): Promise<void> {
    stale = false;
    try {
      stale = !parked.merge(await store.heads(consumerId));
      await sendDue();
    } catch (error) {
      stale = true;
      log.warn({ err: error, consumer_id: consumerId }, 'parked entries could not be read');
    }
  }

  async function recheck(): Promise<void> {
    try {
      await recheckParked({ consumerId, store, parked, turn });
      options.mark();
    } catch (error) {
      // They are asked about again before they are tried.
      log.warn({ err: error, consumer_id: consumerId }, 'parked entries could not be read');
    }
  }

  return {
    tick,
    reload,
    recheck,
    get resting() {
      return parked.size === 0 && !stale && !loading;
    },
  };
}

/** Makes a slot for a parked entry; it is not put into the sliding window again. */
function toOutgoing(parked: ParkedEntry): Outgoing {
  const { entry, record, attempts } = parked;
  const { position, messageId, traceparent } = entry;
  const slot = {
    position,
    entry,
    settled: false,
    closed: false,
    sent: false,
    next: null,
    lane: record,
  };
  const message = { messageId, body: '', traceparent, attempt: attempts + 1 };
  return { ...slot, ...message, parked, readAt: 0, readyAt: 0 };
}
