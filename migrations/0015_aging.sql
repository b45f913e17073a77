-- Consumers for which events wait that will be dropped by their age before long, or may.
create table aging (
  consumer_id uuid        primary key references consumers on delete cascade,
  version     bigint      not null, -- consumers.version that it was looked at with
  clear_to    bigint      not null, -- from its position up to here nothing waits for it
  looked_at   timestamptz,          -- null: not yet to the end of what is old
  warned_at   timestamptz           -- null: nobody has been told
);
