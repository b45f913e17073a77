import type { Sql } from '../db/db.ts';
import { passes } from '../rules/filterSql.ts';
import { partsOf, recordOf } from '../rules/ordering.ts';
import type { ErrorCode } from '../rules/outcome.ts';
import type { Filter } from '../schema/consumer.ts';
import type { EventType } from '../schema/stream.ts';
import { BURY, TAKE_OUT } from './deadLetterRows.ts';

/** A row of `parked`. Its `_ms` are times on the consumer's own clock. */
export interface ParkedRow {
  position: number;
  message_id: string;
  sync_id: string;
  collection_id: string;
  upstream_id: string;
  event: EventType | null;
  /** That of its entry. */
  traceparent: string | null;
  attempts: number;
  parked_at: string;
  parked_ms: number;
  /** When it first failed in its current window; null: it has not. */
  failing_ms: number | null;
  /** When it is due; null: it waits for an earlier entry of its record; -1: now. */
  due_ms: number | null;
  last_failure: ParkedFailure | null;
}

/** A row that may go out, or the first of its record. */
export interface ParkedHead extends ParkedRow {
  /** Whether an entry of its record waits behind it, untried. */
  followed: boolean;
}

/** The key of a row's record, equal to `recordOf` of its entry. */
export function recordOfRow(row: RecordKey): string {
  const { upstream_id, collection_id, sync_id } = row;
  return recordOf({ upstreamId: upstream_id, collectionId: collection_id, syncId: sync_id });
}

/** The parts of the key that `recordOfRow` returned. */
export function keyOf(record: string): RecordKey {
  const { upstreamId, collectionId, syncId } = partsOf(record);
  return { upstream_id: upstreamId, collection_id: collectionId, sync_id: syncId };
}

/** The last failed attempt at a parked entry. */
export interface ParkedFailure {
  code: ErrorCode;
  status: number | null;
  detail: string;
  at: string;
  response_head: string | null;
}

/** The changes of a sender's parked entries since its last commit. */
export interface ParkedOps {
  inserts: (ParkedRow & { body: string })[];
  updates: ParkedRow[];
  /** Entries that were delivered or dropped; one with `died_at` becomes the dead letter `id`. */
  deletes: {
    position: number;
    id: string;
    attempts: number;
    died_at: string | null;
    last_failure: ParkedFailure | null;
  }[];
  /** How many records were newly parked; they count until the next resume. */
  added: number;
}

/** A parked entry's body. */
export interface LoadedBody {
  body: string;
  /** On the records stream: whether a newer version exists. */
  superseded: boolean;
}

/** The parts of a record's key. */
export type RecordKey = Pick<ParkedRow, 'sync_id' | 'collection_id' | 'upstream_id'>;

/** Reads parked entries. */
export interface ParkedStore {
  /** The first row of each record and all rows that have a time, ascending by position. */
  heads(consumerId: string): Promise<ParkedHead[]>;
  /** The first `limit` rows of each of these records, ascending by position. */
  ofRecords(consumerId: string, records: RecordKey[], limit: number): Promise<ParkedRow[]>;
  /**
   * The bodies of the rows that still exist, by position. Once the first ones amount to `maxBytes`, the bodies
   * of the others are left out (null), so that there is at least one.
   */
  bodies(
    consumerId: string,
    positions: number[],
    maxBytes: number,
  ): Promise<Map<number, LoadedBody | null>>;
}

const COLUMNS = `p.position, p.message_id, p.sync_id, p.collection_id, p.upstream_id, p.event, p.traceparent,
               p.attempts, p.parked_at, p.parked_ms, p.failing_ms, p.due_ms, p.last_failure`;

/** Creates the reader of parked entries. */
export function createParkedStore(sql: Sql): ParkedStore {
  /** Skips from record to record by the index, so that entries waiting behind a head cost nothing. */
  async function heads(consumerId: string): Promise<ParkedHead[]> {
    const found = await sql.query<ParkedHead>({
      name: 'parked heads',
      text: `
        with recursive firsts as (
          (select sync_id, collection_id, upstream_id, position from parked where consumer_id = $1
            order by sync_id, collection_id, upstream_id, position limit 1)
          union all
          select n.* from firsts f, lateral (
            select sync_id, collection_id, upstream_id, position from parked
             where consumer_id = $1 and (sync_id, collection_id, upstream_id)
                                      > (f.sync_id, f.collection_id, f.upstream_id)
             order by sync_id, collection_id, upstream_id, position limit 1) n
        ), wanted as (
          select position from firsts
          union
          select position from parked where consumer_id = $1 and due_ms is not null
        )
        select ${COLUMNS},
               (select true from parked q
                 where q.consumer_id = $1 and q.sync_id = p.sync_id
                   and q.collection_id = p.collection_id and q.upstream_id = p.upstream_id
                   and q.position > p.position
                 order by q.sync_id, q.collection_id, q.upstream_id, q.position limit 1)
               is not null as followed
          from wanted w join parked p on p.consumer_id = $1 and p.position = w.position
         order by p.position`,
      values: [consumerId],
    });
    return found.rows;
  }

  async function ofRecords(
    consumerId: string,
    records: RecordKey[],
    limit: number,
  ): Promise<ParkedRow[]> {
    const found = await sql.query<ParkedRow>({
      name: 'parked of records',
      text: `
        select p.* from unnest($2::text[], $3::text[], $4::text[]) r(sync_id, collection_id, upstream_id)
         cross join lateral (
           select ${COLUMNS} from parked p
            where p.consumer_id = $1 and p.sync_id = r.sync_id and p.collection_id = r.collection_id
              and p.upstream_id = r.upstream_id
            order by p.sync_id, p.collection_id, p.upstream_id, p.position limit $5) p
         order by p.position`,
      values: [
        consumerId,
        records.map((one) => one.sync_id),
        records.map((one) => one.collection_id),
        records.map((one) => one.upstream_id),
        limit,
      ],
    });
    return found.rows;
  }

  async function bodies(
    consumerId: string,
    positions: number[],
    maxBytes: number,
  ): Promise<Map<number, LoadedBody | null>> {
    const found = await sql.query<{ position: number; body: string | null; superseded: boolean }>({
      name: 'parked bodies',
      text: `
        select p.position,
               case when sum(octet_length(p.body)) over (order by p.position) - octet_length(p.body) < $3
                    then p.body end as body,
               k.stream = 'records' and not exists
                 (select from records r where r.position = p.position) as superseded
          from parked p join consumers k on k.id = p.consumer_id
         where p.consumer_id = $1 and p.position = any($2::bigint[])`,
      values: [consumerId, positions, maxBytes],
    });
    return new Map(
      found.rows.map(({ position, body, superseded }) => [
        position,
        body === null ? null : { body, superseded },
      ]),
    );
  }

  return { heads, ofRecords, bodies };
}

/**
 * The part of a commit that writes parked entries, for the rows in `moved`: $15 inserts, $16
 * updates, $17 deletes, each a JSON array with the consumer's id in every element.
 */
export const PARKED_CTES = `
  parked_new as (
    insert into parked (consumer_id, position, message_id, sync_id, collection_id, upstream_id, event,
                        body, traceparent, attempts, parked_at, parked_ms, failing_ms, due_ms,
                        last_failure)
    select p.* from json_to_recordset($15::json) as p(
             consumer_id uuid, position bigint, message_id text, sync_id text, collection_id text,
             upstream_id text, event text, body text, traceparent text, attempts int,
             parked_at timestamptz, parked_ms bigint, failing_ms bigint, due_ms bigint, last_failure jsonb)
      join moved using (consumer_id)
        on conflict (consumer_id, position) do nothing
  ), parked_changed as (
    update parked p
       set attempts = u.attempts, failing_ms = u.failing_ms, due_ms = u.due_ms,
           last_failure = u.last_failure
      from json_to_recordset($16::json) as u(
             consumer_id uuid, position bigint, attempts int, failing_ms bigint, due_ms bigint,
             last_failure jsonb)
      join moved using (consumer_id)
     where p.consumer_id = u.consumer_id and p.position = u.position
  ), parked_gone as (
    delete from parked p
     using json_to_recordset($17::json) as d(
             consumer_id uuid, position bigint, id uuid, attempts int, died_at timestamptz,
             last_failure jsonb)
      join moved using (consumer_id)
     where p.consumer_id = d.consumer_id and p.position = d.position
    returning p.*, d.id, d.attempts as tried, d.died_at, d.last_failure as death
  ), died as (${BURY}
  )`;

/** The consumer's own clock at the time $2, for a row `k` of consumers, in ms. */
const CLOCK = `k.active_ms + coalesce(greatest(0, extract(epoch from $2 - k.active_since) * 1000), 0)::bigint`;

/** An entry of a stream that is to be parked. */
export interface EntryToPark {
  position: number;
  messageId: string;
  syncId: string;
  collectionId: string;
  upstreamId: string;
  event: EventType | null;
  body: string;
  traceparent: string | null;
}

/** Parks a settled entry, due immediately; false when it is parked already. */
export async function parkEntry(
  sql: Sql,
  consumerId: string,
  { entry, at }: { entry: EntryToPark; at: Date },
): Promise<boolean> {
  const { position, messageId, syncId, collectionId, upstreamId, event } = entry;
  const { body, traceparent } = entry;
  const { rows } = await sql.query({
    text: `
      insert into parked (consumer_id, position, message_id, sync_id, collection_id, upstream_id,
                          event, body, traceparent, attempts, parked_at, parked_ms, due_ms,
                          last_failure)
      select k.id, $3, $4, $5, $6, $7, $8, $9, $10,
             greatest(1, (select max(attempt) from attempts a
                           where a.consumer_id = k.id and a.position = $3)),
             $2, ${CLOCK}, -1, null
        from consumers k where k.id = $1
          on conflict (consumer_id, position) do nothing
      returning position`,
    values: [
      consumerId,
      at,
      position,
      messageId,
      syncId,
      collectionId,
      upstreamId,
      event,
      body,
      traceparent,
    ],
  });
  return rows.length > 0;
}

/**
 * Parks dead letters (`ids` null: all of them), due immediately and with a new window. Returns the ids
 * of those that existed.
 */
export async function parkDeadLetters(
  sql: Sql,
  consumerId: string,
  { ids, at }: { ids: string[] | null; at: Date },
): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>({
    text: `
      with back as (${TAKE_OUT}
      ), parked as (
        insert into parked (consumer_id, position, message_id, sync_id, collection_id, upstream_id,
                            event, body, traceparent, attempts, parked_at, parked_ms, due_ms,
                            last_failure)
        select b.consumer_id, b.position, b.message_id, b.sync_id, b.collection_id, b.upstream_id,
               b.event, b.body, b.traceparent, b.attempts, $2, ${CLOCK}, -1, b.last_failure
          from back b join consumers k on k.id = b.consumer_id
            on conflict (consumer_id, position) do nothing
      )
      select id from back`,
    values: [consumerId, at, ids],
  });
  return rows.map(({ id }) => id);
}

/**
 * Makes the parked entries that wait for their time due immediately, or those of them whose last failure has this `code`;
 * false when there are none.
 */
export async function makeParkedDue(
  sql: Sql,
  consumerId: string,
  code: string | null = null,
): Promise<boolean> {
  const { rows } = await sql.query({
    text: `
      update parked set due_ms = -1
       where consumer_id = $1 and due_ms is not null
         and ($2::text is null or last_failure ->> 'code' = $2)
      returning position`,
    values: [consumerId, code],
  });
  return rows.length > 0;
}

/** Parked entries above a position with their bodies, ascending; at least one if there is one. */
export async function parkedTexts(
  sql: Sql,
  consumerId: string,
  { after, maxBytes }: { after: number; maxBytes: number },
): Promise<{ position: number; body: string }[]> {
  const { rows } = await sql.query<{ position: number; body: string }>({
    text: `
      select position, body from (
        select p.position, p.body,
               sum(octet_length(p.body)) over (order by p.position) - octet_length(p.body) as before
          from (select position, body from parked
                 where consumer_id = $1 and position > $2 order by position limit 1000) p
      ) p where before < $3 order by position`,
    values: [consumerId, after, maxBytes],
  });
  return rows;
}

/** Deletes the parked entries at these positions; false when there are none. */
export function dropPositions(sql: Sql, consumerId: string, positions: number[]): Promise<boolean> {
  return drop(sql, 'p.position = any ($2::bigint[])', [consumerId, positions]);
}

/** Deletes parked entries that do not pass the lists of the filter; false when there are none. */
export function dropUnmatched(sql: Sql, consumerId: string, filter: Filter): Promise<boolean> {
  const lists = { syncs: '$2::text[]', collections: '$3::text[]', event_types: '$4::text[]' };
  const { syncs, collections, event_types } = filter;
  return drop(sql, `not (${passes('p', lists)})`, [consumerId, syncs, collections, event_types]);
}

/** Deletes parked entries above `position`; false when there are none. */
export function dropAbove(sql: Sql, consumerId: string, position: number): Promise<boolean> {
  return drop(sql, 'p.position > $2', [consumerId, position]);
}

async function drop(sql: Sql, condition: string, values: unknown[]): Promise<boolean> {
  const { rows } = await sql.query({
    text: `delete from parked p where consumer_id = $1 and (${condition}) returning position`,
    values,
  });
  if (rows.length === 0) return false;
  // The entry behind a deleted one may have become the first of its record.
  await sql.query({
    text: `
      update parked p set due_ms = -1
       where consumer_id = $1 and due_ms is null
         and not exists (select from parked q
                          where q.consumer_id = p.consumer_id and q.sync_id = p.sync_id
                            and q.collection_id = p.collection_id and q.upstream_id = p.upstream_id
                            and q.position < p.position)`,
    values: values.slice(0, 1),
  });
  return true;
}
