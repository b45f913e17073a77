-- When it was noted that the lease of a lane is over. The note is a write, so the time that the lane has left to store
-- what it has sent begins only once Postgres takes writes.
alter table visit_lanes add column lapsed_at timestamptz;
