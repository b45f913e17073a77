-- A rate limit holds from one sender to the next.
alter table cursors
  add column paced_until timestamptz;               -- the next request may start; null: at once
