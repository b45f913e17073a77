-- Whether the entries of a sample were counted exactly, and since when the oldest of them waits: null where nothing
-- waits. An older version samples neither: what it counted is shown as an upper bound.
alter table lag_samples
  add column exact  boolean     not null default false,
  add column oldest timestamptz;
