-- What happens when an endpoint or a single message fails.

-- Time as a consumer's parked entries count it: it passes only while the consumer is active.
alter table consumers
  add column active_ms      bigint      not null default 0, -- until it was last left
  add column active_since   timestamptz,                    -- null unless active
  add column warned_at      timestamptz,                    -- the warning of this failure has been written
  add column parked_version bigint      not null default 0; -- counts what is put to a sender from outside

update consumers set active_since = updated_at where status = 'active';
alter table consumers add check ((status = 'active') = (active_since is not null));

create function consumer_clock() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    new.active_since := case when new.status = 'active' then new.updated_at end;
  elsif old.status = 'active' and new.status <> 'active' then
    new.active_ms := old.active_ms
      + greatest(0, extract(epoch from new.updated_at - old.active_since) * 1000)::bigint;
    new.active_since := null;
  elsif old.status <> 'active' and new.status = 'active' then
    new.active_since := new.updated_at;
  end if;
  return new;
end $$;
create trigger consumer_clock before insert or update of status on consumers
  for each row execute function consumer_clock();

alter table cursors
  add column flow         integer,                         -- requests in flight the endpoint last bore; null: no limit found
  add column ramp         boolean not null default false,  -- it has just come back: 1, 10, then full
  add column parked_total integer not null default 0,      -- parked since the last resume
  add column tried_target integer;                         -- targets.version of the last attempt while blocked

-- Entries that failed while others succeeded, and later ones of the same record behind them.
-- Their positions are settled; a sender tries them again. Times are of the consumer's own clock.
create table parked (
  consumer_id   uuid        not null references consumers on delete cascade,
  position      bigint      not null,
  message_id    text        not null,
  sync_id       text        not null,
  collection_id text        not null,
  upstream_id   text        not null,
  event         text,                     -- null on the records stream
  body          text        not null,
  attempts      integer     not null,
  parked_at     timestamptz not null,
  parked_ms     bigint      not null,     -- its window runs from here
  due_ms        bigint,                   -- null: waits for the one before it; -1: now
  last_failure  jsonb,                    -- null: not tried yet
  primary key (consumer_id, position)
);
create index parked_due on parked (consumer_id, due_ms);

create table dead_letters (
  id            uuid        primary key,
  consumer_id   uuid        not null references consumers on delete cascade,
  position      bigint      not null,
  message_id    text        not null,
  sync_id       text        not null,
  collection_id text        not null,
  upstream_id   text        not null,
  event         text,
  body          text        not null,
  attempts      integer     not null,
  parked_at     timestamptz not null,
  died_at       timestamptz not null,
  last_failure  jsonb       not null,
  told          boolean     not null default false, -- a digest has counted it
  unique (consumer_id, position)
);
create index dead_letters_newest on dead_letters (consumer_id, died_at desc, id desc);
create index dead_letters_untold on dead_letters (consumer_id) where not told;

alter table outbox add column html text;

-- Whose target has changed since it was tried?
create index consumers_blocked on consumers (id) where status = 'blocked';

-- "What changed about this consumer?"
create index changes_by_consumer on changes (consumer_id, at desc, id desc);
