-- Mails that tell of several consumers, the alert webhook, and giving up.

-- `created_at` is the wall clock's, unlike the alert's own time.
alter table outbox
  add column channel     text not null default 'mail' check (channel in ('mail', 'webhook')),
  add column kind        text,                        -- of its alerts
  add column target_id   uuid,
  add column items       json not null default '[]',  -- what it tells of, one a consumer
  add column given_up_at timestamptz;
drop index outbox_unsent;
create index outbox_unsent on outbox (next_try_at) where sent_at is null and given_up_at is null;
-- "Is there a mail of this target that has not gone out yet?"
create index outbox_waiting on outbox (target_id) where sent_at is null;

alter table alerts add column message_id text; -- of the mail that tells it, shared or not
