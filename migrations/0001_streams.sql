-- The two streams. A position is handed out under the row lock of the stream's line in
-- `streams`, so commit order is position order and no reader can skip an entry.

create table streams (
  name           text   primary key check (name in ('records', 'events')),
  first_position bigint not null default 1,  -- everything below is gone (retention)
  last_position  bigint not null default 0,
  rolled_up      bigint not null default 0,  -- counted into `collections` up to here
  last_at        timestamptz not null default '-infinity' -- server time never goes back within a stream
) with (fillfactor = 50);

insert into streams (name) values ('records'), ('events');

create table records (
  sync_id             text        not null,
  collection_id       text        not null,
  upstream_id         text        not null,
  position            bigint      not null unique,
  version_id          text        not null,
  data                text        not null,   -- JSON text, 'null' when there never was any
  size                integer     not null,   -- bytes of data: bounds pages without reading them
  deleted             boolean     not null,
  upstream_created_at timestamptz,
  upstream_updated_at timestamptz,
  created_at          timestamptz not null,
  updated_at          timestamptz not null,
  primary key (sync_id, collection_id, upstream_id)
);
create index records_by_sync on records (sync_id, position);

-- Partitions are ranges of positions; src/partitions.ts makes them ahead and drops them whole.
create table events (
  position            bigint      not null primary key,
  event_id            text        not null,
  event               text        not null check (event in ('created', 'updated', 'deleted')),
  sync_id             text        not null,
  collection_id       text        not null,
  upstream_id         text        not null,
  data                text        not null,
  changes             text,                   -- JSON text of the previous values, or null
  size                integer     not null,   -- bytes of data and changes
  upstream_updated_at timestamptz,
  event_inserted_at   timestamptz not null
) partition by range (position);
create index events_by_sync on events (sync_id, position);

-- Uniqueness of event_id across partitions.
create table event_ids (
  event_id text   primary key,
  position bigint not null
);
create index event_ids_by_position on event_ids using brin (position);

create table syncs (
  sync_id  text  primary key,
  name     text,
  metadata jsonb not null default '{}'
);

create table collections (
  sync_id       text        not null,
  collection_id text        not null,
  events        bigint      not null,
  last_at       timestamptz not null,
  primary key (sync_id, collection_id)
);
