/**
 * The position that the API shows, for rows `k` (consumers), `c` (cursors), `t` (tails of its stream) and `l`
 * (leader). For an idle consumer it is that of the leader, which has found no match up to there, or the one
 * just before the first match. For a visited consumer it is the position up to which its lane has settled
 * everything, if what the lane noted counts the consumer: it does not if the consumer was claimed later, or has failed
 * in this visit (`ramp`).
 */
export const SHOWN_POSITION = `
  case when c.idle and c.wanted is null and c.indexed_epoch = l.epoch
       then greatest(c.position, t.position)
       when c.wanted is not null then greatest(c.position, c.wanted - 1)
       when c.visited and c.head is null and not c.ramp
       then greatest(c.position, (select case k.stream when 'records' then v.records else v.events end
                                    from visit_lanes v where v.id = c.holder and c.claim <= v.claims))
       else c.position end`;

/** The joins that `SHOWN_POSITION` needs beside `c`, for rows `k` (consumers). */
export const LEADER_JOINS = `
  join tails t on t.stream = k.stream
  join leader l on l.name = 'wake'`;
