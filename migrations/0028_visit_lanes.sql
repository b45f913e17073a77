-- A lane of visits holds one lease for all consumers that it visits, and renews it in one statement.
create table visit_lanes (
  id          text primary key,      -- the holder of its cursors
  region      text not null,         -- whose consumers it visits
  lease_until timestamptz not null,
  visiting    int not null default 0, -- of how many consumers it is the sender
  records     bigint,                -- everything up to here is settled for those of its consumers that do not fail
  events      bigint
);
-- What lanes hold by a lease for each consumer is claimed anew.
update cursors
   set epoch = epoch + 1, visited = false, holder = null, lease_until = null, idle = true,
       wanted = position + 1, wanted_at = clock_timestamp()
 where visited;
drop index cursors_visited;
create index cursors_visited on cursors (holder, consumer_id) where visited;
alter table cursors
  add constraint cursors_visited_by check (not visited or (holder is not null and lease_until is null));
