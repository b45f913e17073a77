-- The workflow of a new consumer is started after the request that created it has been answered.
alter table consumers
  add column started boolean not null default true; -- its workflow has read this row; until then the leader starts it
create index consumers_unstarted on consumers (created_at) where not started and deleted_at is null;
