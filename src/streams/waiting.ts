import { setImmediate } from 'node:timers/promises';

import type { Sql } from '../db/db.ts';
import { compile, whereOf } from '../rules/filter.ts';
import type { Filter } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';
import type { EntryKey } from './entry.ts';
import { createPages } from './pages.ts';

/** A consumer as it reads its stream, from a single snapshot; `READER` reads it. */
export interface Reader {
  stream: StreamName;
  position: number;
  /** Settled positions above it. */
  ahead: number[];
  /** The last position of the stream. */
  last: number;
  filter: Filter;
  /** Up to this position entries have to pass earlier versions of the filter as well. */
  filterFrom: number;
}

/** The entries that wait for a consumer. */
export interface Waiting {
  /** How many entries; an upper bound unless `exact`. */
  entries: number;
  /** The age of the oldest of them, s; 0 when nothing waits. */
  seconds: number;
  exact: boolean;
}

export const NOTHING_WAITS: Waiting = { entries: 0, seconds: 0, exact: true };

/** How many of a stream's newest entries are examined; older ones count as if they matched. */
const COUNTED = 10_000;
/** After so many consumers other work gets a turn. */
const A_TURN = 100;

/**
 * Counts the entries that wait for each of the readers: those after its position that pass its filter and are
 * not settled. Everything that tells people how much waits uses this. It reads each stream once for all
 * readers: the count is exact for a reader that no more than 10,000 entries follow, and an upper bound for
 * others, and for those whose filter has a condition, because only the keys of entries are read.
 */
export async function countWaiting(sql: Sql, readers: readonly Reader[]): Promise<Waiting[]> {
  const counted = readers.map(() => NOTHING_WAITS);
  for (const stream of ['events', 'records'] as const) {
    const behind = readers.entries().filter(([, one]) => one.stream === stream && isBehind(one));
    await countIn(sql, stream, [...behind], counted);
  }
  return counted;
}

function isBehind({ position, last }: Reader): boolean {
  return position < last;
}

async function countIn(
  sql: Sql,
  stream: StreamName,
  behind: [index: number, reader: Reader][],
  counted: Waiting[],
): Promise<void> {
  if (behind.length === 0) return;
  const after = behind.reduce((least, [, { position }]) => Math.min(least, position), Infinity);
  const newest = await createPages(sql).newestKeys(stream, COUNTED, after);
  // Without a full page, everything after the lowest position has been read.
  const from = newest.length < COUNTED ? after : (newest.at(-1)?.position ?? after) - 1;
  const positionsOf = createMatches(newest.toReversed());
  const oldest = new Map<number, number>();
  for (const [turn, [index, reader]] of behind.entries()) {
    const { entries, first } = count(reader, positionsOf(reader.filter), from);
    const decided = whereOf(reader.filter) === null || entries === 0;
    const exact = decided && reader.position >= from && reader.position >= reader.filterFrom;
    counted[index] = { entries, seconds: 0, exact };
    if (first !== null) oldest.set(index, first);
    if (turn % A_TURN === A_TURN - 1) await setImmediate();
  }
  const ages = await agesOf(sql, stream, [...new Set(oldest.values())]);
  for (const [index, first] of oldest) {
    counted[index] = { ...(counted[index] as Waiting), seconds: ages.get(first) ?? 0 };
  }
}

/** Counts by the ascending `matching` positions above `from`; entries below it count as if they matched. */
function count(
  { position, ahead, last }: Reader,
  matching: readonly number[],
  from: number,
): { entries: number; first: number | null } {
  const settled = new Set(ahead);
  const begin = indexAfter(matching, Math.max(position, from));
  // Entries appended after the reader was read do not count, as its end does not include them.
  const end = indexAfter(matching, last);
  let entries = Math.max(0, end - begin);
  for (const one of settled) {
    const at = indexAfter(matching, one);
    if (at > begin && at <= end && matching[at - 1] === one) entries -= 1;
  }
  if (position < from) {
    const below = ahead.filter((one) => one <= from).length;
    entries += Math.max(0, Math.min(from, last) - position - below);
    return { entries, first: entries === 0 ? null : position + 1 };
  }
  const first = matching.slice(begin, end).find((one) => !settled.has(one));
  return { entries, first: first ?? null };
}

/** The number of ascending positions up to and including `position`. */
function indexAfter(ascending: readonly number[], position: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] as number) <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Filters with more syncs are matched against all keys. */
const FEW_SYNCS = 100;

/** Finds the positions that pass a filter, ascending; equal filters are matched once for all their consumers. */
function createMatches(keys: readonly EntryKey[]): (filter: Filter) => readonly number[] {
  const found = new Map<string, readonly number[]>();
  const bySync = Map.groupBy(keys, ({ syncId }) => syncId);

  function match(filter: Filter): readonly number[] {
    const { syncs } = filter;
    const isFew = syncs[0] !== '*' && syncs.length <= FEW_SYNCS;
    const some = isFew ? new Set(syncs).values().flatMap((sync) => bySync.get(sync) ?? []) : keys;
    const positions = [...some].filter(compile(filter)).map(({ position }) => position);
    return isFew ? positions.sort((a, b) => a - b) : positions;
  }

  return (filter) => {
    const name = JSON.stringify([filter.syncs, filter.collections, filter.event_types]);
    const known = found.get(name);
    if (known !== undefined) return known;
    const positions = match(filter);
    found.set(name, positions);
    return positions;
  };
}

/** The ages in seconds of the first entries at or after some positions. */
async function agesOf(
  sql: Sql,
  stream: StreamName,
  positions: number[],
): Promise<Map<number, number>> {
  if (positions.length === 0) return new Map();
  const at = stream === 'events' ? 'event_inserted_at' : 'updated_at';
  const { rows } = await sql.query<{ position: number; seconds: number }>({
    text: `
      select w.position, greatest(0, extract(epoch from clock_timestamp() - e.at))::float8 as seconds
        from unnest($1::bigint[]) as w(position)
       cross join lateral (
          select ${at} as at from ${stream} where position >= w.position order by position limit 1
       ) e`,
    values: [positions],
  });
  return new Map(rows.map(({ position, seconds }) => [position, seconds]));
}
