-- How many entries one request of a consumer carries; null: one, in a body of its own.
alter table consumers add column batch jsonb check (
  batch is null or (
    jsonb_typeof(batch) = 'object'
    and (batch ->> 'max_entries')::int between 2 and 1000
    and (batch ->> 'max_bytes')::int between 1024 and 8388608
    and (batch ->> 'max_wait_ms')::int between 0 and 10000
  ) is true
);

-- How many entries the request of an attempt carried; null: its own alone. `message_id` is the id that was sent. There
-- is no check, because it would have all attempts read while they are locked.
alter table attempts add column batch_size integer;

-- Which successes came with one request, as an array of [index of the first, how many of them, entries of the request,
-- the id that was sent]; null: each came with a request of its own.
alter table attempt_batches add column requests jsonb;
