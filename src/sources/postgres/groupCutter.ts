import type { Lsn } from './lsn.ts';
import type { Change } from './rowChange.ts';

/** How far a log is stored. */
export interface Place {
  /** The end of the last commit that is stored as a whole. */
  lsn: Lsn;
  /** The transaction after it of which some rows are stored, by where its commit begins, and how many. */
  within: { commitLsn: Lsn; rows: number } | null;
}

/** What the log says, in its order. */
export type LogItem =
  /** What follows, up to the next item of this kind, is of this transaction. Each group repeats it. */
  | { kind: 'transaction'; xid: number; commitLsn: Lsn; committedAt: string }
  | { kind: 'change'; lsn: Lsn; change: Change }
  /** A message that was written into the log with the prefix of the source. */
  | { kind: 'mark'; lsn: Lsn; content: string };

/** What is to be stored together with the place that the log is read up to by then. */
export interface LogGroup {
  items: LogItem[];
  place: Place;
  /** How much of the log this is. */
  bytes: number;
}

/** What a group may have before it ends. */
export interface GroupLimits {
  /** A group ends with the row that brings it to so many rows, or to so many bytes of the log. */
  maxRows: number;
  maxGroupBytes: number;
}

/** Cuts the items of a log into groups. */
export interface GroupCutter {
  /** Adds an item; one that is not of a row says its bytes. */
  add(item: LogItem, bytes?: number): void;
  /** Ends a row of so many bytes, and with it the group when that is full: then returns true. */
  endRow(bytes: number, place: Place): boolean;
  /** Ends the group, unless nothing is in it: what follows is another one. */
  cut(place: Place): void;
  /** Everything so far may be stored as it is. */
  endTransaction(): void;
  /** The oldest group; of the one that has not ended, its whole transactions, which are stored up to `place`. */
  take(place: Place): LogGroup | null;
  heldBytes(): number;
  isEmpty(): boolean;
}

/** What has come since the last group. */
interface Draft {
  items: LogItem[];
  size: Size;
  /** How much of it is of whole transactions. */
  whole: Size;
}

interface Size {
  items: number;
  rows: number;
  bytes: number;
}

/** Groups hold whole transactions as long as these fit and nobody cuts them; only what is larger than a group is cut. */
export function createGroupCutter({ maxRows, maxGroupBytes }: GroupLimits): GroupCutter {
  const closed: LogGroup[] = [];
  let closedBytes = 0;
  let draft = newDraft();

  function add(item: LogItem, bytes = 0): void {
    draft.items.push(item);
    draft.size.items += 1;
    draft.size.bytes += bytes;
  }

  function endRow(bytes: number, place: Place): boolean {
    draft.size.rows += 1;
    draft.size.bytes += bytes;
    if (draft.size.rows < maxRows && draft.size.bytes < maxGroupBytes) return false;
    cut(place);
    return true;
  }

  function cut(place: Place): void {
    if (draft.items.length === 0) return;
    closed.push({ items: draft.items, place, bytes: draft.size.bytes });
    closedBytes += draft.size.bytes;
    draft = newDraft();
  }

  function take(place: Place): LogGroup | null {
    const group = closed.shift();
    if (group !== undefined) {
      closedBytes -= group.bytes;
      return group;
    }
    const { size, whole } = draft;
    if (whole.items === 0) return null;
    const taken = { items: draft.items.slice(0, whole.items), place, bytes: whole.bytes };
    draft = {
      items: draft.items.slice(whole.items),
      size: {
        items: size.items - whole.items,
        rows: size.rows - whole.rows,
        bytes: size.bytes - whole.bytes,
      },
      whole: newDraft().whole,
    };
    return taken;
  }

  return {
    add,
    endRow,
    cut,
    endTransaction: () => {
      draft.whole = { ...draft.size };
    },
    take,
    heldBytes: () => closedBytes + draft.size.bytes,
    isEmpty: () => closed.length === 0 && draft.items.length === 0,
  };
}

function newDraft(): Draft {
  return {
    items: [],
    size: { items: 0, rows: 0, bytes: 0 },
    whole: { items: 0, rows: 0, bytes: 0 },
  };
}
