import type { Sql } from '../db/db.ts';
import {
  findNewestEvents,
  NEWEST_ENTRIES,
  RECORD,
  withCursor,
  type Hit,
  type RecordRow,
} from './entries.ts';

/** Whether an entry was appended in the trace $1. */
const IS_OF_TRACE = `substr(traceparent, 1, 16) = decode($1, 'hex')`;

/** The id of a trace (W3C Trace Context) that a text is, or that a `traceparent` in it names; null: there is none. */
export function traceIn(text: string): string | null {
  const given = text.toLowerCase().replace(/^traceparent\s*:\s*/u, '');
  const [, id = given] =
    /^[\da-f]{2}-([\da-f]{32})-[\da-f]{16}-[\da-f]{2}(?:-.*)?$/u.exec(given) ?? [];
  return /^(?!0{32})[\da-f]{32}$/u.test(id) ? id : null;
}

/** Finds the newest events that were appended in a trace, among the newest 10,000 of the stream. */
export function findEventsIn(sql: Sql, trace: string, limit: number): Promise<Hit<'event'>[]> {
  return findNewestEvents(sql, IS_OF_TRACE, [trace, limit]);
}

/** Finds the newest records whose latest version was appended in a trace, among the newest 10,000 of the stream. */
export async function findRecordsIn(
  sql: Sql,
  trace: string,
  limit: number,
): Promise<Hit<'record'>[]> {
  const { rows } = await sql.query<RecordRow>({
    text: `
      select ${RECORD}
        from (select sync_id, collection_id, upstream_id, position, version_id, deleted, updated_at, traceparent
                from records order by position desc limit ${NEWEST_ENTRIES}) r
       where ${IS_OF_TRACE}
       order by r.position desc
       limit $2`,
    values: [trace, limit],
  });
  return rows.map(withCursor);
}

/** Why nothing was found of a trace, as sentences. */
export function noneOfTrace(trace: string): string {
  return (
    `No entry among the newest ${NEWEST_ENTRIES.toLocaleString('en')} of its stream was appended in the trace ${trace}. ` +
    'An entry that is appended without a trace is sent in a new one each time, which is not stored with it.'
  );
}
