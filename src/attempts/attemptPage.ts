import { createHash } from 'node:crypto';

import type { ListPlace, ListPage } from '../db/keyset.ts';
import type { Attempt } from '../schema/attempt.ts';

/** The facts about an attempt that only the stream has. */
export type OfEntry =
  | 'event'
  | 'sync_id'
  | 'collection_id'
  | 'upstream_id'
  | 'trace_id'
  | 'producer_span_id';

/** An attempt as it was stored. What only the stream has is looked up when the attempt is on a page. */
export interface PastAttempt extends Omit<Attempt, 'id' | 'message_id' | 'started_at' | OfEntry> {
  /** Null for an attempt of a batch; `idOf` derives it. */
  id: string | null;
  /** Null when only the stream knows it. */
  message_id: string | null;
  /** Unix ms. */
  startedAt: number;
  /** Its place in the list, unix ms: its start, or a minute before it was recorded if that is later. */
  at: number;
}

/** Reads the next `size` attempts before a place, newest first; `end` when there are no more. */
export type ReadPastAttempts = (
  before: PositionInTime,
  size: number,
) => Promise<{ made: PastAttempt[]; end: boolean }>;

/** A place in a list of attempts. Reading starts just before it. */
export interface PositionInTime {
  at: number;
  id: string;
}

const HIGHEST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
/** The place before which all attempts are. */
export const LAST: PositionInTime = { at: 8.64e15, id: HIGHEST_ID };
const LOWEST_ID = '00000000-0000-0000-0000-000000000000';
/** The largest number of attempts that one request examines. */
const LOOKED_AT = 10_000;
const MOST_AT_ONCE = 4_000;

/** The place before which are the attempts that started earlier than `at` (unix ms). */
export function placeBefore(at: number): PositionInTime {
  return { at, id: LOWEST_ID };
}

/** The place before which are the attempts that started at `at` (unix ms) or earlier. */
export function placeUpTo(at: number): PositionInTime {
  return { at, id: HIGHEST_ID };
}

/** Reads the place out of a list's cursor. */
export function placeOf(key: ListPlace): PositionInTime {
  return { at: Date.parse(key.at), id: key.id };
}

/** Sorts attempts newest first. */
export function compare(a: PastAttempt, b: PastAttempt): number {
  if (a.at !== b.at) return b.at - a.at;
  const [one, other] = [idOf(a), idOf(b)];
  return one === other ? 0 : one < other ? 1 : -1;
}

/** Whether an attempt comes after `place` in the list, being older. */
export function isBefore(made: PastAttempt, place: PositionInTime): boolean {
  return made.at < place.at || (made.at === place.at && idOf(made) < place.id);
}

/**
 * The id of an attempt. No id is stored for attempts in batches: theirs is a UUIDv8 derived from what
 * makes them unique, so that every reader gets the same one.
 */
export function idOf(made: PastAttempt): string {
  if (made.id !== null) return made.id;
  const text = `${made.consumer_id} ${made.position} ${made.startedAt}`;
  const hex = createHash('sha256').update(text).digest('hex');
  const variant = '89ab'[Number.parseInt(hex.slice(16, 17), 16) & 3];
  made.id = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  return made.id;
}

/**
 * Reads a page of the attempts that pass `keep`. It stops after examining 10,000 attempts, so a page may be
 * short or even empty and still have a `next`.
 */
export async function cutPage(
  from: PositionInTime,
  limit: number,
  read: ReadPastAttempts,
  keep: (chunk: PastAttempt[]) => Promise<PastAttempt[]>,
): Promise<ListPage<PastAttempt>> {
  const found: PastAttempt[] = [];
  let before = from;
  let looked = 0;
  for (let size = limit + 1; ; size = Math.min(size * 4, MOST_AT_ONCE)) {
    const { made, end } = await read(before, size);
    found.push(...(await keep(made)));
    const last = found[limit - 1];
    if (found.length > limit && last !== undefined) {
      return { data: found.slice(0, limit), next: keyOf(last) };
    }
    const oldest = made.at(-1);
    if (end || oldest === undefined) return { data: found, next: null };
    before = { at: oldest.at, id: idOf(oldest) };
    looked += made.length;
    if (looked >= LOOKED_AT) return { data: found, next: keyOf(oldest) };
  }
}

function keyOf(made: PastAttempt): ListPlace {
  return { at: new Date(made.at).toISOString(), id: idOf(made) };
}
