-- The schedule of attempts goes by time.
alter table cursors
  add column schedule_from       timestamptz,       -- when the endpoint began to fail
  add column schedule_again_from timestamptz;       -- the end of the last Retry-After, where it begins once more

-- `tries` is not used any more.
alter table parked
  add column failing_ms bigint;                     -- when it first failed in its window; null: it has not
update parked set failing_ms = parked_ms where tries > 0;
