/**
 * The position that the API shows, for rows `c` (cursors), `t` (tails of its stream) and `l` (leader).
 * An idle consumer is where the leader is, which has found nothing for it up to there, or just before
 * the first entry that was found.
 */
export const SHOWN_POSITION = `
  case when c.idle and c.wanted is null and c.indexed_epoch = l.epoch
       then greatest(c.position, t.position)
       when c.wanted is not null then greatest(c.position, c.wanted - 1)
       else c.position end`;

/** The joins that `SHOWN_POSITION` needs beside `c`, for rows `k` (consumers). */
export const LEADER_JOINS = `
  join tails t on t.stream = k.stream
  join leader l on l.name = 'wake'`;
