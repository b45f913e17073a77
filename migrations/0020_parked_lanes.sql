-- A sender holds only the first entries of each record in memory, and finds the next ones by their record.
create index parked_lanes on parked (consumer_id, sync_id, collection_id, upstream_id, position);
create index parked_timed on parked (consumer_id, position) where due_ms is not null;
