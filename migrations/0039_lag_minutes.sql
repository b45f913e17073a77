-- The minutes in which what waits was sampled. In any other minute, a consumer without a sample is not known to be
-- idle: no process ran, or its timer was late.
create table lag_minutes (
  at timestamptz primary key
);
-- Null: not sampled.
alter table attempt_minutes alter column lag drop not null;
alter table attempt_points alter column lag drop not null;
