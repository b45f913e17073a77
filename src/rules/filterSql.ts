/**
 * Whether event `e` passes the filter of consumer `k`: the version in force at its position, and all
 * later ones. A version is in force until the next one begins. Keep it in step with `inForce`.
 */
export const PASSES_FILTER = `
  not exists (
    select from (
      select *, lead(filter_from) over (order by version) as until
        from filter_versions where consumer_id = k.id
    ) f
     where (f.until is null or e.position <= f.until)
       and not ((f.syncs = '{*}' or e.sync_id = any (f.syncs))
            and (f.collections = '{*}' or e.collection_id = any (f.collections))
            and (f.event_types = '{*}' or e.event = any (f.event_types)))
  )`;
