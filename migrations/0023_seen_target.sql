-- An edit of a target is answered once every sender that uses the target has taken it.
alter table cursors
  add column seen_target_id uuid,                   -- the target by which the sender goes
  add column seen_target_version bigint;            -- its version that the sender has taken
