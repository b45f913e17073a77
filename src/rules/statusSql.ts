/**
 * The status that the API shows, for rows `k` (consumers) and `c` (cursors). A sender that finds its endpoint
 * failing stores the failing head; the consumer is blocked from then on, although its workflow may be notified
 * later.
 */
export const SHOWN_STATUS = `
  case when k.status = 'active' and c.head is not null then 'blocked' else k.status end`;

/** The `status_reason`: while the endpoint fails, the newest failure, whatever the first one was. */
export const SHOWN_REASON = `
  case when k.status in ('active', 'blocked') and c.head is not null
       then concat_ws(': ', c.last_failure ->> 'code', c.last_failure ->> 'detail')
       else k.status_reason end`;

/** The `failing_since`: the time since which the endpoint fails. */
export const SHOWN_FAILING_SINCE = `
  coalesce(k.failing_since, case when c.head is not null then c.schedule_from end)`;
