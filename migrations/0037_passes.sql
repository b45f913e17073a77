-- Full passes: a source sends all records of a collection, and those that did not come become deleted.
create table passes (
  id             uuid        primary key,
  sync_id        text        not null,
  collection_id  text        not null,
  after_position bigint      not null,   -- the end of the records stream when it began: what is above it is newer
  status         text        not null check (status in ('running', 'deleting', 'completed', 'superseded')),
  deleted        bigint      not null default 0,
  seen           bigint,                 -- null until it is completed
  created_at     timestamptz not null,
  ended_at       timestamptz
);
-- Of each collection only the latest pass may delete.
create unique index passes_current on passes (sync_id, collection_id) where status in ('running', 'deleting');
create index passes_by_age on passes (created_at);

-- The records that came in a pass and were equal, by the positions that they have: one row an append. A record that
-- was written since has another position, which is newer than the pass.
create table pass_seen (
  pass_id   uuid     not null references passes on delete cascade,
  number    bigint   not null generated always as identity, -- ascends in the order in which appends were committed
  positions bigint[] not null,
  primary key (pass_id, number)
);
