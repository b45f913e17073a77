/**
 * A consumer as it reads its stream (a `Reader`), as JSON, for rows `k` (consumers), `c` (cursors) and `s` (its
 * stream), from the position that the expression gives. Its filter is the one in force: a sender may still use
 * an older version than the newest.
 */
export function readerFrom(position: string): string {
  return `
  (select json_build_object(
            'stream', k.stream, 'position', ${position}, 'ahead', c.ahead, 'last', s.last_position,
            'filterFrom', coalesce(f.filter_from, 0),
            'filter', json_build_object(
              'syncs', array_remove(coalesce(f.syncs, '{}'), null),
              'collections', array_remove(coalesce(f.collections, '{}'), null),
              'event_types', array_remove(coalesce(f.event_types, '{}'), null),
              'where', f.condition))
     from (select) one
     left join lateral (
       select filter_from, syncs, collections, event_types, condition from filter_versions
        where consumer_id = k.id and filter_from is not null
        order by version desc limit 1) f on true)`;
}
