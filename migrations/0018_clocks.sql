-- Processes whose machine's clock is seconds away from that of this database.
create table clocks (
  process     text        primary key,  -- kind, host and pid
  ahead_ms    bigint      not null,     -- negative: it is behind
  measured_at timestamptz not null
);
