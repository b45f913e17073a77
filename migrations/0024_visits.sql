-- Quiet consumers are visited: a lane claims many of them at a time, and is their sender for a while.
alter table cursors
  add column visited boolean not null default false,      -- the holder is a lane of visits
  add column needs_drain boolean not null default false;  -- what it wants is left to the consumer's own drain
drop index cursors_wanted;
create index cursors_wanted on cursors (wanted) where wanted is not null;
create index cursors_visited on cursors (consumer_id) where visited;
