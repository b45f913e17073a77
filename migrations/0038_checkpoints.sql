-- How far a source has come, in its own words: stored in the transaction of the records that it speaks for.
create table checkpoints (
  source     text        not null,
  key        text        not null,
  value      text        not null,
  updated_at timestamptz not null,
  primary key (source, key)
);
