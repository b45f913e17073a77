-- What the consumers of each target did together, by the minute, and the indexes by which a text is searched.

-- One row for each minute in which its consumers tried something; counted with attempt_minutes, by the same rule.
create table target_minutes (
  target_id uuid        not null,
  at        timestamptz not null,
  delivered bigint      not null,
  failed    bigint      not null,
  steps     smallint[]  not null,
  counts    float8[]    not null,
  primary key (target_id, at)
);
create index target_minutes_in_time on target_minutes using brin (at);

-- Whether the minute was counted by target as well; an older version does not.
alter table attempt_minutes add column by_target boolean not null default false;

-- Beginnings of names and of syncs' ids, in any case; "C", so that an index knows what begins alike.
create index consumers_by_name on consumers (lower(name) collate "C") where deleted_at is null;
create index targets_by_name on targets (lower(name) collate "C");
create index syncs_by_name on syncs (lower(name) collate "C") where name is not null;
create index syncs_by_id on syncs (lower(sync_id) collate "C");
-- Beginnings of the words within names.
create index consumers_by_word on consumers using gin (to_tsvector('simple', name)) where deleted_at is null;
create index targets_by_word on targets using gin (to_tsvector('simple', name));
