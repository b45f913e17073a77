import type { QueryArrayResult } from 'pg';

import type { Sql } from '../db/db.ts';
import type { Filter } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';
import { readEntriesAt, type EntriesAt } from './entriesAt.ts';
import {
  type PageRequest,
  type Page,
  type EntryKey,
  type Entry,
  COLUMNS,
  ENTRY_OF,
} from './entry.ts';
import { readOlder, type OlderPage, type OlderRequest } from './older.ts';
import { positionAtTime, type ReadRows } from './positionAtTime.ts';
import { scanFor } from './scan.ts';

/** What names a record. */
export interface RecordKey {
  syncId: string;
  collectionId: string;
  upstreamId: string;
}

/** Reads entries of the two streams. */
export interface Pages {
  read(request: PageRequest): Promise<Page>;
  /** Reads backwards, newest first. */
  older(request: OlderRequest): Promise<OlderPage>;
  /** The keys of the next `limit` entries after a position, ascending. */
  keys(stream: StreamName, after: number, limit: number): Promise<EntryKey[]>;
  /** The keys of the newest `limit` entries after a position (all unless given), newest first. */
  newestKeys(stream: StreamName, limit: number, after?: number): Promise<EntryKey[]>;
  /** The position of the first entry in (after, until] that passes the filter; null when there is none. */
  first(stream: StreamName, after: number, filter: Filter, until: number): Promise<number | null>;
  entryAt(stream: StreamName, position: number): Promise<Entry | null>;
  /**
   * The entries at these descending positions, or at the first of them if their text exceeds `maxBytes`; what has left
   * its position is left out.
   */
  entriesAt(stream: StreamName, positions: readonly number[], maxBytes: number): Promise<EntriesAt>;
  /** The record with this key as it is now, deleted or not; null when there is none. */
  record(key: RecordKey): Promise<Entry | null>;
  /** The event with this `event_id`; null when there is none, or it has been dropped by retention. */
  event(eventId: string): Promise<Entry | null>;
  /** The position just before the first entry whose server time is at or after `time`. */
  positionAtTime(stream: StreamName, time: string): Promise<number>;
}

const KEYS: Record<StreamName, string> = {
  events: 'select position, sync_id, collection_id, event from events',
  records: 'select position, sync_id, collection_id, null from records',
};

const FIRST_SCAN_ROWS = 50_000;
const PREPARED = 50;

/**
 * Creates a reader of the streams by position. A page is one statement, bounded in rows and bytes.
 * Its rows and the stream's end are of one snapshot, and because commit order is position order, an
 * entry that commits later cannot be at or below `scannedTo`.
 */
export function createPages(sql: Sql): Pages {
  const prepared = new Set<string>();

  /** Prepares statements by shape and limit, but no more than `PREPARED` of them: callers choose the limit. */
  async function readRows(
    name: string | null,
    text: string,
    values: unknown[],
  ): Promise<unknown[][]> {
    if (name !== null && prepared.size < PREPARED) prepared.add(name);
    const named = name !== null && prepared.has(name) ? { name } : {};
    const config = { text, values, ...named, rowMode: 'array' };
    const result = (await sql.query(config)) as unknown as QueryArrayResult<unknown[]>;
    return result.rows;
  }

  async function read(request: PageRequest): Promise<Page> {
    const { stream, after, limit, maxBytes } = request;
    const scan = scanFor(request, COLUMNS[stream]);
    const rows = await readRows(
      scan.name,
      `${scan.cte}
             select s.last_position, s.first_position, ${scan.bound} as bound, p.*
               from streams s
               left join lateral (
                 select *
                   from (select *, sum(size) over (order by position rows unbounded preceding) - size as before
                           from ${scan.source} scanned) sized
                  where before < $3
               ) p on true
              where s.name = '${stream}'`,
      [after, request.until ?? Number.MAX_SAFE_INTEGER, maxBytes, ...scan.values],
    );
    const head = rows[0];
    if (head === undefined) throw new Error(`streams has no line for ${stream}`);
    const [last, first, bound] = head as [number, number, number | null];
    if (head[3] === null) {
      return { entries: [], scannedTo: scannedBelow(request, last, bound), last, first };
    }
    const entries = rows.map((row) => ENTRY_OF[stream](row, 3));
    const stored = rows.reduce((sum, row) => sum + (row[10] as number), 0);
    const cut = entries.length >= limit || stored >= maxBytes;
    const scannedTo = cut ? (entries.at(-1) as Entry).position : scannedBelow(request, last, bound);
    return { entries, scannedTo, last, first };
  }

  async function keys(stream: StreamName, after: number, limit: number): Promise<EntryKey[]> {
    const rows = await readRows(
      `keys-${stream}`,
      `${KEYS[stream]} where position > $1 order by position limit $2`,
      [after, limit],
    );
    return rows.map(toKey);
  }

  async function newestKeys(stream: StreamName, limit: number, after = 0): Promise<EntryKey[]> {
    const text = `${KEYS[stream]} where position > $1 order by position desc limit $2`;
    return (await readRows(null, text, [after, limit])).map(toKey);
  }

  async function first(
    stream: StreamName,
    after: number,
    filter: Filter,
    until: number,
  ): Promise<number | null> {
    const request = { stream, until, filter, limit: 1, maxBytes: 1, scanRows: FIRST_SCAN_ROWS };
    for (let from = after; from < until;) {
      const scan = scanFor(request, 'position');
      const [row] = await readRows(
        scan.name,
        `${scan.cte}
               select s.last_position, ${scan.bound} as bound, p.position
                 from streams s left join ${scan.source} p on true
                where s.name = '${stream}' and $3::bigint is not null`,
        [from, until, 1, ...scan.values],
      );
      const [last, bound, position] = row as [number, number | null, number | null];
      if (position !== null) return position;
      from = scannedBelow({ after: from, until }, last, bound);
      if (bound === null) return null;
    }
    return null;
  }

  async function entryAt(stream: StreamName, position: number): Promise<Entry | null> {
    const [row] = await readRows(
      `entry-${stream}`,
      `select ${COLUMNS[stream]} from ${stream} where position = $1`,
      [position],
    );
    return row === undefined ? null : ENTRY_OF[stream](row, 0);
  }

  async function event(eventId: string): Promise<Entry | null> {
    const [row] = await readRows(
      'event-position',
      'select position from event_ids where event_id = $1',
      [eventId],
    );
    return row === undefined ? null : entryAt('events', row[0] as number);
  }

  const atTime: Pages['positionAtTime'] = (...asked) => positionAtTime(readRows, ...asked);
  const record = (key: RecordKey): Promise<Entry | null> => recordOf(readRows, key);
  const older = (request: OlderRequest): Promise<OlderPage> => readOlder(sql, request);
  const entriesAt: Pages['entriesAt'] = (...asked) => readEntriesAt(sql, ...asked);
  return {
    read,
    older,
    keys,
    newestKeys,
    first,
    entryAt,
    entriesAt,
    record,
    event,
    positionAtTime: atTime,
  };
}

async function recordOf(
  readRows: ReadRows,
  { syncId, collectionId, upstreamId }: RecordKey,
): Promise<Entry | null> {
  const [row] = await readRows(
    'record',
    `select ${COLUMNS.records} from records
      where sync_id = $1 and collection_id = $2 and upstream_id = $3`,
    [syncId, collectionId, upstreamId],
  );
  return row === undefined ? null : ENTRY_OF.records(row, 0);
}

function toKey([position, syncId, collectionId, event]: unknown[]): EntryKey {
  return { position, syncId, collectionId, event } as EntryKey;
}

/** How far a page has scanned that found fewer entries than it may hold. */
function scannedBelow(
  { after, until }: { after: number; until?: number },
  last: number,
  bound: number | null,
): number {
  return Math.max(after, bound ?? Math.min(until ?? last, last));
}
