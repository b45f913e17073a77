-- Mails and webhooks are claimed apart from each other, and a mail with nothing left to tell is dropped.

alter table outbox add column dropped_at timestamptz; -- nothing was left to tell; given_up_at is set as well
drop index outbox_unsent;
create index outbox_unsent on outbox (channel, next_try_at) where sent_at is null and given_up_at is null;
