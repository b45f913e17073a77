-- A target's client certificate with its key, sealed; what is shown of it; and when it ends.
alter table targets
  add column client_certificate       text,
  add column client_certificate_shown jsonb,
  add column client_certificate_ends  timestamptz;
create index targets_by_certificate on targets (client_certificate_ends)
  where client_certificate_ends is not null;

-- The end of which certificate of a target people have been warned of.
create table certificate_warnings (
  target_id   uuid        primary key references targets on delete cascade,
  fingerprint text        not null,
  told_at     timestamptz not null
);

alter table alerts
  drop constraint alerts_kind_check,
  add constraint alerts_kind_check
    check (kind in ('warning', 'stopped', 'gone', 'recovered', 'dead-letters', 'retention', 'certificate',
                    'source-failed', 'source-interrupted', 'source-behind', 'source-silent',
                    'source-asking', 'source-recovered'));
