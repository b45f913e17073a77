import { plainArray } from '../db/arrayLiteral.ts';
import type { Query } from '../db/db.ts';
import type { Pass } from '../schema/pass.ts';

/** The columns of a pass as the API shows it. */
const SHOWN = 'id, sync_id, collection_id, status, deleted, seen, created_at, ended_at';

/** A pass, with what its completion needs to know. */
export interface PassRow extends Pass {
  /** Records with a higher position were written after the pass began. */
  after_position: number;
}

/** Selects one pass. */
export function selectPass(id: string): Query {
  return { text: `select ${SHOWN}, after_position from passes where id = $1`, values: [id] };
}

/** Selects the passes of an append, which are then there until its transaction ends. */
export function selectPassesOf(ids: readonly string[]): Query {
  return {
    name: 'select-passes-of',
    text: 'select id, sync_id, collection_id, status from passes where id = any($1::uuid[]) for key share',
    values: [plainArray(ids)],
  };
}

/** Ends the passes of a collection that are not completed, and forgets what they have seen. */
export function supersedePasses(syncId: string, collectionId: string): Query {
  return {
    text: `
      with ended as (
        update passes set status = 'superseded', ended_at = now()
         where sync_id = $1 and collection_id = $2 and status in ('running', 'deleting')
        returning id
      )
      delete from pass_seen where pass_id in (select id from ended)`,
    values: [syncId, collectionId],
  };
}

/** Inserts a pass that begins after a position of the records stream; no other one of its collection may run. */
export function insertPass(id: string, syncId: string, collectionId: string, after: number): Query {
  return {
    text: `
      insert into passes (id, sync_id, collection_id, after_position, status, created_at)
      values ($1, $2, $3, $4, 'running', now())
      returning ${SHOWN}`,
    values: [id, syncId, collectionId, after],
  };
}

/** Notes the positions of records that came in a pass and are equal; the line of the records stream has to be locked. */
export function insertSeen(passId: string, positions: readonly number[]): Query {
  return {
    name: 'insert-pass-seen',
    text: 'insert into pass_seen (pass_id, positions) values ($1, $2::bigint[])',
    values: [passId, plainArray(positions)],
  };
}

/** What `surveyPass` finds. */
export interface Survey {
  /** The records of the collection that are not deleted. */
  live: number;
  /** How many of them the pass has not seen. */
  unseen: number;
  /** The positions of up to `limit` of those, ascending. */
  positions: number[];
  /** Everything that was noted as seen up to this number is taken into account. */
  mark: number;
}

/** Counts the records of a pass's collection and those that it has not seen. Must not run as a nested loop. */
export function surveyPass(pass: PassRow, limit: number): Query {
  return {
    text: `
      with found as (
        select r.position, r.position <= $4 and seen.position is null as unseen
          from records r
          left join (select distinct unnest(positions) as position
                       from pass_seen where pass_id = $1) seen using (position)
         where r.sync_id = $2 and r.collection_id = $3 and not r.deleted
      )
      select count(*) as live,
             count(*) filter (where unseen) as unseen,
             array(select position from found where unseen order by position limit $5) as positions,
             (select coalesce(max(number), 0) from pass_seen where pass_id = $1) as mark
        from found`,
    values: [pass.id, pass.sync_id, pass.collection_id, pass.after_position, limit],
  };
}

/**
 * Selects the records at some positions that are still unseen since the survey with this `mark`, in order, up to
 * `maxBytes` of data and at least one; `total` says how many there are. A record that was written since has left
 * its position. The line of the records stream has to be locked.
 */
export function selectUnseen(
  passId: string,
  positions: readonly number[],
  mark: number,
  maxBytes: number,
): Query {
  return {
    name: 'select-unseen',
    text: `
      select position, total, sync_id, collection_id, upstream_id, data, deleted,
             upstream_created_at, upstream_updated_at
        from (select r.*, count(*) over () as total,
                     sum(size) over (order by position) - size as before
                from records r
               where position = any($1::bigint[]) and not deleted
                 and not exists (select from pass_seen
                                  where pass_id = $2 and number > $3 and position = any(positions))
             ) unseen
       where before < $4
       order by position`,
    values: [plainArray(positions), passId, mark, maxBytes],
  };
}

/** Has a pass that runs begin to delete; no row when it does not run any more. */
export function beginDeleting(id: string): Query {
  return {
    text: `update passes set status = 'deleting' where id = $1 and status = 'running'`,
    values: [id],
  };
}

/** Adds to the records that a pass has deleted. */
export function addDeleted(id: string, count: number): Query {
  return { text: 'update passes set deleted = deleted + $2 where id = $1', values: [id, count] };
}

/** Ends a pass, unless it has ended, and forgets what it has seen. */
export function endPass(id: string, seen: number): Query {
  return {
    text: `
      with ended as (
        update passes set status = 'completed', seen = $2, ended_at = now()
         where id = $1 and status in ('running', 'deleting')
        returning id
      )
      delete from pass_seen where pass_id in (select id from ended)`,
    values: [id, seen],
  };
}
