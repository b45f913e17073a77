-- One narrow row a consumer, written by its one sender and fenced by `epoch`.
create table cursors (
  consumer_id     uuid        primary key references consumers on delete cascade,
  position        bigint      not null,              -- all at or below is settled
  ahead           bigint[]    not null default '{}', -- settled above it
  epoch           bigint      not null default 0,
  holder          text,                              -- null: released
  lease_until     timestamptz,
  seen_version    bigint      not null default 0,    -- consumers.version the sender has taken
  head            bigint,                            -- the failing entry
  attempt         integer     not null default 0,    -- attempts made at it
  next_attempt_at timestamptz,
  last_failure    jsonb,
  idle            boolean     not null default false,
  indexed_epoch   bigint,                            -- the leader that watches it, while idle
  wanted          bigint,                            -- first match seen by the leader
  wanted_version  integer                            -- filter version it was matched with
) with (fillfactor = 40);
create index cursors_idle on cursors (consumer_id) where idle and indexed_epoch is null;
create index cursors_wanted on cursors (consumer_id) where wanted is not null;

-- The leader that follows the tail for idle consumers, and how far it has matched.
create table leader (
  name        text        primary key,
  epoch       bigint      not null,
  holder      text,
  lease_until timestamptz
);
insert into leader values ('wake', 0, null, null);

create table tails (
  stream   text   primary key references streams,
  position bigint not null
);
insert into tails values ('records', 0), ('events', 0);

-- Failed attempts, and successful ones of a retried head, as rows.
create table attempts (
  id               uuid        not null,
  consumer_id      uuid        not null,
  position         bigint      not null,
  message_id       text        not null,
  event_id         text,
  attempt          integer     not null,
  started_at       timestamptz not null,
  duration_ms      integer     not null,
  outcome          text        not null check (outcome in ('delivered', 'failed')),
  status           integer,
  error_code       text,
  response_head    text,
  next_attempt_at  timestamptz
) partition by range (started_at);
create index attempts_by_position on attempts (consumer_id, position, attempt);
create table attempts_other partition of attempts default;

-- First-attempt successes, one row a commit: parallel arrays, one element an entry.
create table attempt_batches (
  consumer_id uuid        not null,
  committed_at timestamptz not null,
  positions   bigint[]    not null,
  started_at  bigint[]    not null,  -- unix milliseconds
  duration_ms integer[]   not null,
  status      smallint[]  not null
) partition by range (committed_at);
create index attempt_batches_newest on attempt_batches (consumer_id, committed_at desc);
create table attempt_batches_other partition of attempt_batches default;

create table alerts (
  id          uuid        primary key,
  consumer_id uuid        not null references consumers on delete cascade,
  kind        text        not null check (kind in ('warning', 'stopped', 'gone', 'recovered', 'dead-letters', 'retention')),
  detail      jsonb       not null,
  at          timestamptz not null
);
create index alerts_newest on alerts (at desc, id desc);
create index alerts_by_consumer on alerts (consumer_id, at desc, id desc);

create table outbox (
  id          uuid        primary key,
  message_id  text        not null unique,  -- deterministic: a second send is recognisable
  alert_id    uuid        not null references alerts on delete cascade,
  recipients  text[]      not null,
  subject     text        not null,
  body        text        not null,
  headers     jsonb       not null,
  created_at  timestamptz not null,
  sent_at     timestamptz,
  attempts    integer     not null default 0,
  next_try_at timestamptz not null,
  last_error  text
);
create index outbox_unsent on outbox (next_try_at) where sent_at is null;
