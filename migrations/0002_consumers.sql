-- json, not jsonb, where callers' own JSON is kept: it takes every JSON text, \u0000 too.
create table targets (
  id                         uuid        primary key,
  name                       text        not null,
  kind                       text        not null check (kind = 'webhook'),
  base_url                   text        not null,
  credentials                text        not null,  -- sealed JSON
  headers                    json        not null,
  signing_secret             text        not null,  -- sealed
  timeout_ms                 integer     not null check (timeout_ms between 500 and 15000),
  max_in_flight              integer     not null check (max_in_flight between 1 and 1000),
  rate_limit                 integer     check (rate_limit > 0),
  metadata                   json        not null,
  version                    integer     not null default 1,
  created_at                 timestamptz not null,
  updated_at                 timestamptz not null
);
create index targets_newest on targets (created_at desc, id desc);

-- Written by activities of the consumer's own workflow only (but for the insert).
create table consumers (
  id             uuid        primary key,
  name           text        not null,
  target_id      uuid        references targets on delete set null, -- of tombstones
  stream         text        not null references streams,
  path           text        not null,
  ordering       text        not null check (ordering in ('record', 'stream', 'none')),
  alert_emails   text[]      not null,
  metadata       json        not null,
  region         text        not null,
  status         text        not null check (status in ('active', 'paused', 'blocked', 'stopped')),
  status_reason  text,
  failing_since  timestamptz,
  filter_version integer     not null,
  version        bigint      not null,           -- counts every change; compare-and-set
  held           boolean     not null default false, -- a sender must let go: a seek waits for it
  created_at     timestamptz not null,
  updated_at     timestamptz not null,
  deleted_at     timestamptz,                     -- tombstone: its workflow ends
  check (target_id is not null or deleted_at is not null)
);
create index consumers_newest on consumers (created_at desc, id desc) where deleted_at is null;
create index consumers_by_target on consumers (target_id) where deleted_at is null;

-- The filter versions that entries above the position still have to pass. `filter_from` is
-- null until the running drain has taken the version.
create table filter_versions (
  consumer_id uuid    not null references consumers on delete cascade,
  version     integer not null,
  filter_from bigint,
  syncs       text[]  not null,
  collections text[]  not null,
  event_types text[]  not null,
  primary key (consumer_id, version)
);

-- Who changed what, when; `edit_id` makes an edit idempotent.
create table changes (
  id          uuid        primary key,
  consumer_id uuid        not null references consumers on delete cascade,
  edit_id     text        not null,
  action      text        not null,
  actor       text        not null,
  detail      json        not null,
  version     bigint      not null,
  at          timestamptz not null,
  unique (consumer_id, edit_id)
);
create index changes_newest on changes (at desc, id desc);

-- Edits too large for a workflow's history; the workflow carries their id.
create table stored_edits (
  id         uuid        primary key,
  edit       json        not null,
  created_at timestamptz not null default now()
);
