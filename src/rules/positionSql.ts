/**
 * Where a consumer stands, for rows c (cursors), t (tails of its stream) and l (leader): an idle one
 * where the leader does, which has seen nothing for it up to there, and else just before what it wants.
 */
export const SHOWN_POSITION = `
  case when c.idle and c.wanted is null and c.indexed_epoch = l.epoch
       then greatest(c.position, t.position)
       when c.wanted is not null then greatest(c.position, c.wanted - 1)
       else c.position end`;
