import type { Filter } from '../schema/consumer.ts';

/**
 * Whether the row named `entry` passes the lists of a filter, in SQL, as `compile` decides it: `lists` are
 * expressions of type text[]. The event of a record is null.
 */
export function passes(
  entry: string,
  lists: Record<Exclude<keyof Filter, 'where'>, string>,
): string {
  const { syncs, collections, event_types } = lists;
  return `
    (${syncs} = '{*}' or ${entry}.sync_id = any (${syncs}))
    and (${collections} = '{*}' or ${entry}.collection_id = any (${collections}))
    and (${event_types} = '{*}' or ${entry}.event is null or ${entry}.event = any (${event_types}))`;
}

/**
 * Whether event `e` passes the filter of consumer `k`: the lists of the version in force at its position, and of all
 * later ones. A version is in force until the next one begins. Keep it in step with `inForce`. What a condition says
 * is not known here, so where a consumer has one, more events pass than are sent to it.
 */
export const PASSES_FILTER = `
  not exists (
    select from (
      select *, lead(filter_from) over (order by version) as until
        from filter_versions where consumer_id = k.id
    ) f
     where (f.until is null or e.position <= f.until)
       and not (${passes('e', {
         syncs: 'f.syncs',
         collections: 'f.collections',
         event_types: 'f.event_types',
       })})
  )`;
