import type { FilterStack } from '../delivery/filterStack.ts';
import { TIMES, type Shared } from '../flow/budget.ts';
import type { Turn } from '../flow/turn.ts';
import type { Entry } from '../streams/entry.ts';
import type { Tail } from '../streams/tail.ts';

/** Where the entries of a quiet sender come from. */
export interface WaitingEntriesOptions {
  tail: Pick<Tail, 'since' | 'end' | 'told'>;
  filters: Pick<FilterStack, 'passes' | 'onlySync' | 'hasCondition'>;
  memory: Pick<Shared, 'room' | 'take' | 'wait'>;
  /** How long conditions are evaluated before other work gets its turn. */
  turn: Turn;
  /** Everything up to here is settled. */
  position: number;
  /** Called when there is memory for an entry again, and when other work has had its turn. */
  again: () => void;
}

/** When more entries than this wait, a drain has to send them. */
const MOST_WAITING = 16;
/** So many entries are examined at a time. */
const PAGE = 1_000;

/** The entries that a quiet sender has to send, in order. They come from the tail alone. */
export class WaitingEntries {
  readonly #options: WaitingEntriesOptions;
  /** Everything up to here has been examined. */
  #readTo: number;
  /** Whether everything that the tail knows has been examined; entries for which it does not call do not match. */
  #caughtUp = false;
  #entries: Entry[] = [];
  #readAt: number[] = []; // of each entry
  /** Takes back that it looks again later; null: it does not. */
  #later: (() => void) | null = null;
  #held = 0; // bytes of the budget
  #lastMatchAt = performance.now();

  constructor(options: WaitingEntriesOptions) {
    this.#options = options;
    this.#readTo = options.position;
  }

  /** The entry to send next. */
  get first(): Entry | undefined {
    return this.#entries[0];
  }

  /** When the entry to send next was read, monotonic ms. */
  get firstReadAt(): number {
    return this.#readAt[0] ?? this.#lastMatchAt;
  }

  /** Whether no entry waits, and everything that is known of has been examined. */
  get isDone(): boolean {
    return this.#entries.length === 0 && (this.#caughtUp || this.#options.tail.end === null);
  }

  /** Whether the tail may hold matching entries that have not been examined. */
  get isBehind(): boolean {
    return !this.#caughtUp;
  }

  /** Everything at or below it is settled. */
  get position(): number {
    const first = this.#entries[0];
    return first === undefined ? this.#readTo : first.position - 1;
  }

  /** When the last entry was taken, monotonic ms. */
  get lastMatchAt(): number {
    return this.#lastMatchAt;
  }

  /**
   * Takes matching entries from the tail, which had come to `before` when it last called or did not need to.
   * Returns false if a drain has to read instead: there are many entries, or the tail does not go back that
   * far.
   */
  look(before: number): boolean {
    if (this.#caughtUp && before > this.#readTo) this.#readTo = before;
    this.#caughtUp = false;
    if (this.#later !== null) return true;
    const { tail, filters, turn } = this.#options;
    const takesTurns = filters.hasCondition;
    if (takesTurns && turn.isOver()) return this.#lookLater();
    for (;;) {
      const page = tail.since(this.#readTo, PAGE, filters.onlySync);
      if (page === null) return tail.end === null; // it calls once it has begun
      for (let index = page.from; index < page.to; index += 1) {
        const taken = this.#take(page.entries[index]!);
        if (taken !== 'taken') return taken === 'later';
        if (takesTurns && turn.isOver()) return this.#lookLater();
      }
      this.#readTo = Math.max(this.#readTo, page.scannedTo);
      this.#caughtUp = page.scannedTo >= (tail.end ?? 0);
      if (this.#caughtUp) return true;
    }
  }

  /** Looks again once other work has had its turn. */
  #lookLater(): true {
    this.#later = this.#options.turn.later(() => {
      this.#later = null;
      this.#options.again();
    });
    return true;
  }

  #take(entry: Entry): 'taken' | 'later' | 'too many' {
    const { filters, memory, again } = this.#options;
    if (!entry.superseded && filters.passes(entry)) {
      if (this.#entries.length >= MOST_WAITING) return 'too many';
      if (memory.room(this.#held) <= 0) {
        if (this.#held === 0) memory.wait(again);
        return 'later';
      }
      this.#hold(TIMES * entry.bytes);
      this.#entries.push(entry);
      this.#lastMatchAt = performance.now();
      this.#readAt.push(this.#lastMatchAt);
    }
    this.#readTo = entry.position;
    return 'taken';
  }

  /** Settles the first entry. */
  settle(): void {
    const entry = this.#entries.shift();
    this.#readAt.shift();
    if (entry !== undefined) this.#hold(-TIMES * entry.bytes);
  }

  /** Notes that the tail has called and nothing was examined: the entries it has read may match. */
  miss(): void {
    this.#caughtUp = false;
  }

  /** Moves past entries for which the tail has not called. */
  passBy(): void {
    if (this.#caughtUp) this.#readTo = Math.max(this.#readTo, this.#options.tail.told ?? 0);
  }

  /** Gives back the bytes of the budget; nothing is examined any more. */
  letGo(): void {
    this.#caughtUp = false;
    this.#later?.();
    this.#hold(-this.#held);
  }

  #hold(bytes: number): void {
    this.#held += bytes;
    this.#options.memory.take(bytes);
  }
}
