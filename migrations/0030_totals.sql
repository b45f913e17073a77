-- What all consumers did together, counted once from what commits store anyway.

-- When an attempt was stored: the time by which it is counted, once. Null: by an older version.
alter table attempts add column stored_at timestamptz;
alter table attempts alter column stored_at set default clock_timestamp();
create index attempts_stored on attempts
  using brin (stored_at) with (pages_per_range = 32, autosummarize = on);

-- One row a minute, also for one in which nothing happened; the newest one says up to where is counted.
create table attempt_minutes (
  at        timestamptz primary key,
  delivered bigint      not null,
  failed    bigint      not null,
  steps     smallint[]  not null,  -- answer times, by their steps on a logarithmic scale,
  counts    float8[]    not null,  -- and how many attempts fell on each
  events_to bigint      not null,  -- the last event appended before its end
  lag       bigint      not null   -- entries that waited, of all consumers
);

-- The same by consumer, one row an hour in which it tried something.
create table attempt_hours (
  at          timestamptz not null,
  consumer_id uuid        not null,
  delivered   bigint      not null,
  failed      bigint      not null,
  primary key (at, consumer_id)
) with (fillfactor = 70);
