-- A sender makes the first retries of a failing endpoint itself: its consumer counts as blocked while its
-- cursor has a failing head, which lists of consumers look for.
create index cursors_failing on cursors (consumer_id) where head is not null;

-- How often `retry` was given for an entry that fails: a sender that sees it change tries immediately.
alter table consumers add column retried integer not null default 0;
