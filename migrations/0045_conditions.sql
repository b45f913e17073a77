-- A filter may have a condition, a CEL expression that decides on the entries which its lists let through. What could
-- not be evaluated is counted for people.
alter table filter_versions
  add column condition text,
  add constraint filter_versions_condition_check check (octet_length(condition) <= 4096);

create table condition_faults (
  consumer_id    uuid        primary key references consumers on delete cascade,
  filter_version bigint      not null, -- whose condition it was
  entries        bigint      not null, -- how many could not be evaluated
  since          timestamptz not null,
  at             timestamptz not null, -- of the newest
  position       bigint      not null, -- of the newest
  detail         text        not null  -- a sentence about the newest
);
