import {
  byPosition,
  createBatchQueue,
  insertByPosition,
  type BatchQueue,
  type Source,
} from './batchQueue.ts';
import type { Cohorts } from './cohorts.ts';
import type { Dispatcher, DispatcherOptions } from './dispatcher.ts';
import type { Queued } from './readyQueue.ts';

/** The parts of a slot that decide when its batch goes. */
export interface BatchQueued extends Queued {
  /** When it became ready, monotonic ms. */
  readyAt: number;
}

/** The bounds of one batch. */
export interface BatchLimits {
  entries: number;
  bytes: number;
  /** How long the oldest ready slot of an incomplete batch waits for others. */
  waitMs: number;
}

/** What a dispatcher of batches needs of its drain. */
export interface BatchDispatcherOptions<S extends BatchQueued> extends Omit<
  DispatcherOptions<S>,
  'send'
> {
  limits: BatchLimits;
  cohorts: Cohorts<S>;
  /** Sends the slots, which are sorted by position, with one request. */
  send: (slots: S[]) => void;
  /** The slot that waits behind this one in its lane. */
  nextOf: (slot: S) => S | null;
  /** Whether a slot that waits behind another one is not to be sent. */
  isOver: (slot: S) => boolean;
  /** How many bytes a slot adds to a body, and how many a body has without any. */
  sizeOf: (slot: S) => number;
  emptyBytes: number;
  /** How many entries have not settled, and how many bytes they have. */
  window: { readonly open: number; readonly bytes: number };
  /** Whether an incomplete batch goes immediately. */
  hurries: () => boolean;
  /** Called when an incomplete batch has waited long enough: it is to call `pump`. */
  wake: () => void;
}

/** A dispatcher that sends several slots with one request. */
export interface BatchDispatcher<S extends BatchQueued> extends Dispatcher<S> {
  /** Whether an incomplete batch waits for others that fill it. */
  readonly gathers: boolean;
  /** Counts slots as not sent that were to go with a request, and queues those of them again that may go now. */
  takeBack(slots: readonly S[], ready: readonly S[]): void;
  /** Ends its timer. */
  close(): void;
}

/** Slots that may go with one request. */
interface Gathered<S extends BatchQueued> {
  slots: S[];
  source: Source<S> | null;
  /** Those of the slots that stood in the source; the others wait behind them in their lanes. */
  taken: S[];
  /** Whether no other slot would find room. */
  isFull: boolean;
}

/**
 * Creates a dispatcher of batches without a slot. A batch begins with the slot whose turn it is. Then follow, by
 * position, other ready slots of its kind and those behind them in their lanes. So the entries of one lane are in one
 * batch at a time, in order. An incomplete batch waits for others until the limit has passed. Slots that have failed
 * together and parked ones go without delay.
 */
export function createBatchDispatcher<S extends BatchQueued>(
  options: BatchDispatcherOptions<S>,
): BatchDispatcher<S> {
  const { limit, pace, requests, limits, window } = options;
  const queue = createBatchQueue<S>(options.cohorts);
  const gather = createGather(options);
  const alarm = createAlarm(options.wake);
  let pumping = false;
  let gathers = false;
  let inFlight = 0;
  let sending = 0;
  let shares = 0; // of the budget, as in `createDispatcher`
  let restsUntil = 0;

  function pump(): void {
    if (pumping) return; // a skipped slot has freed its lane; the loop below takes the next one
    pumping = true;
    gathers = false;
    while (!queue.empty && mayStart()) {
      const found = options.takesLast() ? lastOne() : nextBatch(performance.now());
      if (found === null) break;
      if (found.slots.length === 0) continue; // all were skipped
      const isShort = requests.room(shares) < 1;
      if (isShort || !mayStart()) {
        putAllBack(found); // a slot that was skipped may have ended what allowed the request
        if (isShort) requests.wait(pump);
        break;
      }
      start(found.slots);
    }
    pumping = false;
    options.pumped();
  }

  function start(slots: S[]): void {
    requests.take(1);
    shares += 1;
    inFlight += 1;
    sending += slots.length;
    for (const slot of slots) slot.sent = true;
    pace.started(performance.now());
    options.send(slots);
  }

  function mayStart(): boolean {
    const now = performance.now();
    return inFlight < limit.limit && now >= restsUntil && pace.may(now) && options.mayStart(now);
  }

  function lastOne(): Gathered<S> | null {
    const slot = queue.last();
    if (slot === undefined) return null;
    const slots = options.skips(slot) ? [] : [slot];
    return { slots, source: null, taken: slots, isFull: true };
  }

  /** The batch whose turn it is; null when nothing may go now. */
  function nextBatch(now: number): Gathered<S> | null {
    const source = queue.lead();
    if (source === null) return null;
    if (!source.fills || options.hurries()) return gather(source);
    const isDue = now >= dueAt(source);
    if (isDue || mayFill()) {
      const found = gather(source);
      if (isDue || found.isFull || found.slots.length === 0) return found;
      source.giveBack(found.taken);
    }
    gathers = true;
    alarm.set(dueAt(source));
    const parked = queue.parked(); // need not wait with the others
    return parked === null ? null : gather(parked);
  }

  function dueAt({ front }: Source<S>): number {
    return (front?.readyAt ?? 0) + limits.waitMs;
  }

  /** Whether there are enough entries for a full batch, if all of them are ready. */
  function mayFill(): boolean {
    return window.open - sending >= limits.entries || window.bytes >= limits.bytes;
  }

  function putAllBack({ source, taken }: Gathered<S>): void {
    if (source !== null) source.giveBack(taken);
    else for (const slot of taken) queue.putBack(slot);
  }

  return {
    push: queue.push,
    putBack: queue.putBack,
    putBackAll: queue.putBackAll,
    pump,
    landed: (entries = 1) => {
      inFlight -= 1;
      sending -= entries;
    },
    passOn: () => {
      shares -= 1;
      requests.take(-1);
    },
    takeBack: (slots, ready) => {
      sending -= slots.length;
      for (const slot of slots) slot.sent = false;
      queue.putBackAll(ready);
    },
    rest: (until) => {
      restsUntil = until;
    },
    upNext: () => peek(queue, gather),
    close: alarm.stop,
    get inFlight() {
      return inFlight;
    },
    get sending() {
      return sending;
    },
    get gathers() {
      return gathers;
    },
    get empty() {
      return queue.empty;
    },
  };
}

/** Returns the function that takes slots for one request out of a source, and from behind these in their lanes. */
function createGather<S extends BatchQueued>(
  options: Pick<
    BatchDispatcherOptions<S>,
    'limits' | 'emptyBytes' | 'skips' | 'sizeOf' | 'nextOf' | 'isOver'
  >,
): (source: Source<S>) => Gathered<S> {
  const { limits } = options;
  return (source) => {
    const slots: S[] = [];
    const taken: S[] = [];
    const behind: S[] = []; // those that wait behind the slots in their lanes, by position
    const most = Math.min(source.most, limits.entries);
    let bytes = options.emptyBytes;
    let sorted = true;
    let isFull = true;
    while (slots.length < most) {
      const own = source.front;
      const follower = behind[0];
      const isOwn = own !== undefined && !(follower !== undefined && isBefore(follower, own));
      const slot = isOwn ? own : follower;
      if (slot === undefined) {
        isFull = slots.length > 0 && bytes >= limits.bytes;
        break;
      }
      if (isOwn) source.take();
      if (isOwn && options.skips(slot)) continue;
      bytes += options.sizeOf(slot) + (slots.length === 0 ? 0 : 1);
      if (slots.length > 0 && bytes > limits.bytes) {
        if (isOwn) source.giveBack([slot]);
        break;
      }
      if (isOwn) taken.push(slot);
      else behind.shift();
      sorted &&= slots.length === 0 || isBefore(slots.at(-1) as S, slot);
      slots.push(slot);
      const next = options.nextOf(slot);
      if (next !== null && source.fits(next) && !options.isOver(next))
        insertByPosition(behind, next);
    }
    if (!sorted) slots.sort(byPosition);
    return { slots, source, taken, isFull };
  };
}

function isBefore(a: { position: number }, b: { position: number }): boolean {
  return a.position < b.position;
}

/** The slots that would go next, which stay in the queue. */
function peek<S extends BatchQueued>(
  queue: Pick<BatchQueue<S>, 'front'>,
  gather: (source: Source<S>) => Gathered<S>,
): readonly S[] {
  for (let source = queue.front(); source !== null; source = queue.front()) {
    const { slots, taken } = gather(source);
    source.giveBack(taken);
    if (slots.length > 0) return slots;
  }
  return [];
}

/** Calls `ring` at the earliest time that was set, monotonic ms. */
function createAlarm(ring: () => void): { set(at: number): void; stop(): void } {
  let timer: NodeJS.Timeout | null = null;
  let ringsAt = Infinity;

  function stop(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    ringsAt = Infinity;
  }

  return {
    set: (at) => {
      if (timer !== null && ringsAt <= at) return;
      stop();
      ringsAt = at;
      timer = setTimeout(
        () => {
          timer = null;
          ringsAt = Infinity;
          ring();
        },
        Math.max(1, at - performance.now()),
      );
    },
    stop,
  };
}
