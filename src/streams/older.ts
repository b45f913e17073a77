import type { QueryArrayResult } from 'pg';

import type { Sql } from '../db/db.ts';
import type { EventType, StreamName } from '../schema/stream.ts';
import { COLUMNS, ENTRY_OF, type Entry } from './entry.ts';

/** Which entries to read backwards, and how many of them. */
export interface OlderRequest {
  stream: StreamName;
  /** The newest position to read. */
  before: number;
  syncId?: string | undefined;
  collectionId?: string | undefined;
  /** Reads only collections of this provider. */
  provider?: string | undefined;
  /** Only for the events stream. */
  event?: EventType | undefined;
  limit: number;
  /** A bound on the bytes of stored text. The entry that exceeds it is still returned, so there is at least one. */
  maxBytes: number;
  /** How many rows one page looks at when no index alone can answer the filter. */
  scanRows: number;
}

/** A part of a stream, read backwards; of one snapshot. */
export interface OlderPage {
  /** Newest first. */
  entries: Entry[];
  /** Everything in (reachedTo, before] has been looked at. */
  reachedTo: number;
}

/** The number of columns before those of the entry, and the place of its size among them. */
const HEAD = 3;
const SIZE = HEAD + 7;

/**
 * Reads a page of a stream backwards, newest first, in one statement that is bounded in rows and bytes. Data is read
 * only of the entries that are returned.
 */
export async function readOlder(sql: Sql, request: OlderRequest): Promise<OlderPage> {
  const { stream, before, limit, maxBytes, scanRows } = request;
  const values: unknown[] = [before, maxBytes, limit];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const ofSync = request.syncId === undefined ? '' : `and sync_id = ${bind(request.syncId)}`;
  const conditions = conditionsOf(request, bind);
  // Without further conditions an index alone leads to the entries.
  const most = conditions.length === 0 ? limit : scanRows;
  const config = {
    text: `
      with looked as materialized (
        select position, collection_id, ${stream === 'events' ? 'event, ' : ''}size from ${stream}
         where position <= $1 ${ofSync}
         order by position desc limit ${most}
      ), page as materialized (
        select position
          from (select position,
                       sum(size) over (order by position desc rows unbounded preceding) - size as newer
                  from looked
                 ${conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`}) sized
         where newer < $2
         order by position desc limit $3
      )
      select s.first_position, (select count(*) from looked), (select min(position) from looked), e.*
        from streams s
        left join (
          page cross join lateral (
            select ${COLUMNS[stream]} from ${stream} where position = page.position limit 1
          ) e
        ) on true
       where s.name = '${stream}'
       order by e.position desc`,
    values,
    rowMode: 'array',
  };
  const { rows } = (await sql.query(config)) as unknown as QueryArrayResult<unknown[]>;
  const [head] = rows;
  if (head === undefined) throw new Error(`streams has no line for ${stream}`);
  const [first, looked, lowest] = head as [number, number, number | null];
  const entries = head[HEAD] === null ? [] : rows.map((row) => ENTRY_OF[stream](row, HEAD));
  const stored = rows.reduce((sum, row) => sum + Number(row[SIZE]), 0);
  const oldest = entries.at(-1);
  if (oldest !== undefined && (entries.length >= limit || stored >= maxBytes)) {
    return { entries, reachedTo: oldest.position - 1 };
  }
  const isAll = lowest === null || looked < most;
  return { entries, reachedTo: isAll ? Math.min(before, first - 1) : lowest - 1 };
}

function conditionsOf(
  { collectionId, provider, event }: OlderRequest,
  bind: (value: unknown) => string,
): string[] {
  return [
    ...(collectionId === undefined ? [] : [`collection_id = ${bind(collectionId)}`]),
    ...(provider === undefined ? [] : [`starts_with(collection_id, ${bind(`${provider}:`)})`]),
    ...(event === undefined ? [] : [`event = ${bind(event)}`]),
  ];
}
