-- What the overview reads of minutes and hours that are over, summed up ahead.

-- Answer times of a consumer's attempts. Zero: counted by an older version.
alter table attempt_hours
  add column answers   bigint not null default 0,  -- how many are in the sum
  add column answer_ms bigint not null default 0;

-- What the minutes of one step of a chart come to, once the step is over.
create table attempt_points (
  seconds   integer     not null,  -- how long the step is
  at        timestamptz not null,  -- and when it began
  delivered bigint      not null,
  failed    bigint      not null,
  p50       smallint,              -- on the scale of answer times; null: there were no attempts
  p95       smallint,
  events_to bigint      not null,
  lag       bigint      not null,
  primary key (seconds, at)
);

-- What a consumer's hours come to, over a range that ends with a full hour; made anew each hour.
create table attempt_ranges (
  hours       integer     not null,  -- how long the range is
  until       timestamptz not null,  -- and when it ended
  consumer_id uuid        not null,
  delivered   bigint      not null,
  failed      bigint      not null,
  answers     bigint      not null,
  answer_ms   bigint      not null,
  primary key (hours, until, consumer_id)
);
