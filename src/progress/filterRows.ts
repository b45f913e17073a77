import { plainArray } from '../db/arrayLiteral.ts';
import type { Sql } from '../db/db.ts';
import { whereOf } from '../rules/filter.ts';
import type { Filter } from '../schema/consumer.ts';
import { END_EPOCH, TAKE_VERSIONS } from './cursors.ts';
import { endLapsedLaneLeases } from './laneLeases.ts';

/** Which versions of its consumer's configuration a sender has put into force. */
export interface Confirmation {
  consumerId: string;
  epoch: number;
  version: number;
  filterVersion: number;
  /** The position above which the newest filter version applies. */
  filterFrom: number;
  /** The target to which it sends, and the version of the target that it has put into force. */
  target: { id: string; version: number };
}

/** The part of a statement that gives the consumer in `consumer` its first filter, which applies above `from`. */
export function createFilter(
  columns: Record<'from' | 'syncs' | 'collections' | 'types' | 'condition', string>,
): string {
  const { from, syncs, collections, types, condition } = columns;
  return `
    insert into filter_versions (consumer_id, version, filter_from, syncs, collections, event_types, condition)
    select id, 1, ${from}, ${syncs}, ${collections}, ${types}, ${condition} from consumer`;
}

/** Adds a version that applies above `from`; null: above the position that the running sender will confirm. */
export async function addFilter(
  sql: Sql,
  consumerId: string,
  { version, from, filter }: { version: number; from: number | null; filter: Filter },
): Promise<void> {
  await sql.query({
    text: `
      insert into filter_versions (consumer_id, version, filter_from, syncs, collections, event_types, condition)
      values ($1, $2, $3, $4, $5, $6, $7)`,
    values: [
      consumerId,
      version,
      from,
      filter.syncs,
      filter.collections,
      filter.event_types,
      whereOf(filter),
    ],
  });
}

/** Deletes the versions that no entry above `position` can still need. */
export async function pruneFilters(sql: Sql, consumerId: string, position: number): Promise<void> {
  await sql.query({
    text: `
      delete from filter_versions f
       where consumer_id = $1
         and version < (select max(version) from filter_versions
                         where consumer_id = $1 and filter_from <= $2)`,
    values: [consumerId, position],
  });
}

/** Deletes all versions but the newest, `version`, and makes it apply above `from`. */
export async function keepNewestFilter(
  sql: Sql,
  consumerId: string,
  { version, from }: { version: number; from: number },
): Promise<void> {
  await sql.query({
    text: 'delete from filter_versions where consumer_id = $1 and version < $2',
    values: [consumerId, version],
  });
  await sql.query({
    text: 'update filter_versions set filter_from = $2 where consumer_id = $1',
    values: [consumerId, from],
  });
}

/**
 * Stores which versions senders have put into force, unless they are fenced, in one statement; versions new to
 * a sender apply above its `filterFrom` from now on.
 */
export async function confirm(sql: Sql, taken: Confirmation[]): Promise<void> {
  await sql.query({
    name: 'confirm',
    text: `
      with i as (
        select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::int[], $5::bigint[], $6::uuid[], $7::bigint[])
          as i(consumer_id, epoch, version, filter_version, filter_from, target_id, target_version)
      ), seen as (
        ${TAKE_VERSIONS}
      )
      update filter_versions f set filter_from = seen.filter_from
        from seen
       where f.consumer_id = seen.consumer_id and f.filter_from is null
         and f.version <= seen.filter_version`,
    values: [
      plainArray(taken.map((one) => one.consumerId)),
      taken.map((one) => one.epoch),
      taken.map((one) => one.version),
      taken.map((one) => one.filterVersion),
      taken.map((one) => one.filterFrom),
      plainArray(taken.map((one) => one.target.id)),
      taken.map((one) => one.target.version),
    ],
  });
}

/**
 * Ends the epochs of these consumers' senders whose lease is over. Filter versions that such a sender did not
 * put into force then apply above the entries it has stored as settled. Without effect while a lease is
 * running.
 */
export async function takeForNobody(sql: Sql, consumerIds: string[]): Promise<void> {
  await endLapsedLaneLeases(sql);
  await sql.query({
    text: `
      with fenced as (${END_EPOCH})
      update filter_versions f
         set filter_from = greatest(fenced.position, (select max(a) from unnest(fenced.ahead) a))
        from fenced
       where f.consumer_id = fenced.consumer_id and f.filter_from is null`,
    values: [consumerIds],
  });
}
