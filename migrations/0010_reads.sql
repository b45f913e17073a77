-- What reading needs: lists by index, attempts by time and by position, lag over time.

-- What a batch holds without opening its arrays. The defaults are true of every batch, so that
-- those written before this, or by a worker of an older version, are found too.
alter table attempt_batches
  add column entries integer,                                    -- null: cardinality(positions)
  add column low     bigint  not null default 0,                 -- lowest position
  add column high    bigint  not null default 9223372036854775807,
  add column oldest  bigint  not null default 0;                 -- earliest start, unix ms

-- Block ranges: next to nothing for a commit to keep, and positions ascend with time.
create index attempt_batches_by_position on attempt_batches
  using brin (committed_at, low, high) with (pages_per_range = 32, autosummarize = on);
create index attempts_in_time on attempts
  using brin (started_at, position int8_minmax_multi_ops) with (pages_per_range = 32, autosummarize = on);
create index attempts_newest on attempts (consumer_id, started_at desc, id desc);

create index alerts_by_kind on alerts (kind, at desc, id desc);

create index consumers_by_status on consumers (status, created_at desc, id desc) where deleted_at is null;
drop index consumers_by_target;
create index consumers_by_target on consumers (target_id, created_at desc, id desc) where deleted_at is null;

create index dead_letters_by_record on dead_letters (consumer_id, upstream_id, died_at desc, id desc);
create index dead_letters_by_code on dead_letters (consumer_id, (last_failure ->> 'code'), died_at desc, id desc);

create index collections_newest on collections (last_at desc, sync_id desc, collection_id desc);

-- How much waited, each minute, for consumers that had something to do.
create table lag_samples (
  consumer_id uuid        not null,
  at          timestamptz not null,
  entries     bigint      not null,
  primary key (consumer_id, at)
);
create index lag_samples_in_time on lag_samples using brin (at);
