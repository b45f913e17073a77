-- Consumers that can't be sent to because of a lasting fault of ours or of their rows, not of the endpoint.
create table start_faults (
  consumer_id    uuid        primary key references consumers on delete cascade,
  code           text        not null,
  detail         text        not null,             -- a sentence for people, without secrets
  since          timestamptz not null,             -- the first failed start; a new reason does not change it
  next_try_at    timestamptz not null,
  is_crash       boolean     not null,             -- the drain had started, and died later
  target_id      uuid,                             -- what was tried; null: not known
  target_version integer,
  told           text[]      not null default '{}' -- codes that an alert has told of since
);
