-- Databases of users that are followed, and what of them is read.
create table sources (
  id                uuid        primary key,
  name              text        not null,
  kind              text        not null check (kind = 'postgres'),
  sync_id           text        not null,
  region            text        not null,       -- whose workers follow it
  url               text        not null,       -- sealed, with the password
  url_shown         text        not null,       -- masked
  ca                text,                       -- PEM; null: the public authorities
  expect_within_s   integer     check (expect_within_s > 0),
  slot              text        not null unique,
  publication       text        not null,
  status            text        not null check (status in ('active', 'paused', 'failed', 'deleting')),
  status_reason     text,                       -- in words
  status_since      timestamptz not null,
  version           bigint      not null,       -- counts every change that a follower has to see
  -- Whoever follows it: when its lease has lapsed, another one may claim it, with a higher epoch. Without a holder,
  -- lease_until says by when it is to be claimed again, after an interruption.
  epoch             bigint      not null default 0,
  holder            text,
  lease_until       timestamptz,
  followed_version  bigint,                     -- the version that the follower works by
  -- What the follower saw last.
  interruption      text,                       -- why it can't go on at the moment, in words; it goes on trying
  interrupted_since timestamptz,
  lag_bytes         bigint,
  lag_ms            bigint,
  slot_limit_bytes  bigint,                     -- max_slot_wal_keep_size of its server; null: none
  last_lsn          text,
  last_change_at    timestamptz,
  measured_at       timestamptz,
  created_at        timestamptz not null,
  updated_at        timestamptz not null,
  check (holder is null or lease_until is not null)
);
create unique index sources_by_name on sources (name);
create index sources_newest on sources (created_at desc, id desc);

create table source_tables (
  source_id   uuid    not null references sources on delete cascade,
  schema_name text    not null,
  table_name  text    not null,
  state       text    not null check (state in ('waiting', 'reading', 'asking', 'following', 'gone')),
  detail      text,                             -- why it asks, or is gone, in words
  snapshot    integer not null default 1,       -- raised to have the table read anew
  is_confirmed boolean not null default false,  -- reading anew may delete more than a fifth of the records
  rows_read   bigint  not null default 0,       -- by the current snapshot
  changes     bigint  not null default 0,       -- that came in the log
  primary key (source_id, schema_name, table_name)
);

-- Rows that could not be turned into records: one row here for each table and reason.
create table source_problems (
  source_id   uuid        not null references sources on delete cascade,
  schema_name text        not null,
  table_name  text        not null,
  reason      text        not null,
  count       bigint      not null,
  upstream_id text,                             -- of the last one, where its key could be read
  first_lsn   text        not null,
  last_lsn    text        not null,
  first_at    timestamptz not null,
  last_at     timestamptz not null,
  primary key (source_id, schema_name, table_name, reason)
);
