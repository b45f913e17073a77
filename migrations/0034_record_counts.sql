-- How many records there are of each collection and sync, counted as they come, as events are, and not each time
-- that they are listed.
alter table collections add column records bigint not null default 0;
alter table syncs       add column records bigint not null default 0;
-- Of the records stream: the time of the entry at `rolled_up`. A record that was created later is not counted yet.
alter table streams add column rolled_up_at timestamptz not null default '-infinity';
