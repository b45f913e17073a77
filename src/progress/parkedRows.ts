import type { Sql } from '../db/db.ts';
import { recordOf } from '../rules/ordering.ts';
import type { ErrorCode } from '../rules/outcome.ts';
import type { EventType } from '../schema/stream.ts';

/** One row of `parked`; times on the consumer's own clock in ms. */
export interface ParkedRow {
  position: number;
  message_id: string;
  sync_id: string;
  collection_id: string;
  upstream_id: string;
  event: EventType | null;
  attempts: number;
  /** Failed attempts of its window. */
  tries: number;
  parked_at: string;
  parked_ms: number;
  /** Null: waits for the one before it; -1: now. */
  due_ms: number | null;
  last_failure: ParkedFailure | null;
}

/** The record of a row, as `recordOf` names it. */
export function recordOfRow(row: ParkedRow): string {
  const { upstream_id, collection_id, sync_id } = row;
  return recordOf({ upstreamId: upstream_id, collectionId: collection_id, syncId: sync_id });
}

export interface ParkedFailure {
  code: ErrorCode;
  status: number | null;
  detail: string;
  at: string;
  response_head: string | null;
}

/** What a sender has done to its parked entries since its last commit. */
export interface ParkedOps {
  inserts: (ParkedRow & { body: string })[];
  updates: ParkedRow[];
  /** Delivered or dropped; with `died_at` it becomes a dead letter under `id`. */
  deletes: {
    position: number;
    id: string;
    attempts: number;
    died_at: string | null;
    last_failure: ParkedFailure | null;
  }[];
  /** Parked anew: counted until the next resume. */
  added: number;
}

export interface LoadedBody {
  body: string;
  /** Records stream: a newer version exists. */
  superseded: boolean;
}

/** Reads what is parked; it is written by senders' commits and by edits. */
export interface ParkedStore {
  /** All of a consumer, ascending. */
  rows(consumerId: string): Promise<ParkedRow[]>;
  /** By position; one that is gone is missing. */
  bodies(consumerId: string, positions: number[]): Promise<Map<number, LoadedBody>>;
}

export function createParkedStore(sql: Sql): ParkedStore {
  async function rows(consumerId: string): Promise<ParkedRow[]> {
    const found = await sql.query<ParkedRow>({
      name: 'parked',
      text: `
        select position, message_id, sync_id, collection_id, upstream_id, event, attempts, tries,
               parked_at, parked_ms, due_ms, last_failure
          from parked where consumer_id = $1 order by position`,
      values: [consumerId],
    });
    return found.rows;
  }

  async function bodies(consumerId: string, positions: number[]): Promise<Map<number, LoadedBody>> {
    const found = await sql.query<LoadedBody & { position: number }>({
      name: 'parked bodies',
      text: `
        select p.position, p.body,
               k.stream = 'records' and not exists
                 (select from records r where r.position = p.position) as superseded
          from parked p join consumers k on k.id = p.consumer_id
         where p.consumer_id = $1 and p.position = any($2::bigint[])`,
      values: [consumerId, positions],
    });
    return new Map(found.rows.map(({ position, ...loaded }) => [position, loaded]));
  }

  return { rows, bodies };
}

/**
 * The part of a commit that writes parked entries, for the rows in `moved`: $15 inserts, $16
 * updates, $17 deletes, each a JSON array with the consumer's id in every element.
 */
export const PARKED_CTES = `
  parked_new as (
    insert into parked (consumer_id, position, message_id, sync_id, collection_id, upstream_id, event,
                        body, attempts, tries, parked_at, parked_ms, due_ms, last_failure)
    select p.* from json_to_recordset($15::json) as p(
             consumer_id uuid, position bigint, message_id text, sync_id text, collection_id text,
             upstream_id text, event text, body text, attempts int, tries int, parked_at timestamptz,
             parked_ms bigint, due_ms bigint, last_failure jsonb)
      join moved using (consumer_id)
        on conflict (consumer_id, position) do nothing
  ), parked_changed as (
    update parked p
       set attempts = u.attempts, tries = u.tries, due_ms = u.due_ms, last_failure = u.last_failure
      from json_to_recordset($16::json) as u(
             consumer_id uuid, position bigint, attempts int, tries int, due_ms bigint,
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
  ), died as (
    insert into dead_letters (id, consumer_id, position, message_id, sync_id, collection_id,
                              upstream_id, event, body, attempts, parked_at, died_at, last_failure)
    select id, consumer_id, position, message_id, sync_id, collection_id, upstream_id, event, body,
           tried, parked_at, died_at, death
      from parked_gone where died_at is not null
        on conflict (consumer_id, position) do update
       set id = excluded.id, attempts = excluded.attempts, died_at = excluded.died_at,
           last_failure = excluded.last_failure, told = false
  )`;
