-- What a sync has shown, kept beside its name, so that syncs are listed by an index.
alter table syncs
  add column events  bigint      not null default 0,
  add column last_at timestamptz not null default '-infinity'; -- named, but not seen yet
insert into syncs as old (sync_id, events, last_at)
select sync_id, sum(events), max(last_at) from collections group by sync_id
    on conflict (sync_id) do update set events = excluded.events, last_at = excluded.last_at;
create index syncs_newest on syncs (last_at desc, sync_id desc);
