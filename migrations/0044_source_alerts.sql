-- Alerts of sources, and what people have been told of each source while it lasts.
alter table alerts
  alter column consumer_id drop not null,
  add column source_id uuid references sources on delete cascade,
  drop constraint alerts_kind_check,
  add constraint alerts_kind_check
    check (kind in ('warning', 'stopped', 'gone', 'recovered', 'dead-letters', 'retention',
                    'source-failed', 'source-interrupted', 'source-behind', 'source-silent',
                    'source-asking', 'source-recovered')),
  add constraint alerts_subject_check check (num_nonnulls(consumer_id, source_id) = 1);
create index alerts_by_source on alerts (source_id, at desc, id desc) where source_id is not null;

create table source_episodes (
  source_id uuid        not null references sources on delete cascade,
  kind      text        not null, -- of its alerts
  points    text[]      not null, -- what of it has been told and lasts
  since     timestamptz not null, -- as the first alert of it says
  alert_id  uuid        not null references alerts on delete cascade, -- the newest alert of it
  primary key (source_id, kind)
);
