-- Test alerts that people have asked for. A worker sends them, as it sends every alert, and notes what came of it.
create table alert_tests (
  id         uuid        primary key,
  recipient  text,                     -- null: the addresses of MILLRACE_ALERT_EMAIL as the worker has it
  actor      text        not null,     -- who asked for it
  asked_at   timestamptz not null,
  claimed_at timestamptz,              -- when a worker took it
  result     json                      -- what came of it; null: not known yet
);
create index alert_tests_waiting on alert_tests (asked_at) where claimed_at is null;
