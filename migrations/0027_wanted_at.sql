-- Since when a consumer wants an entry, so that it is known how long lanes of visits leave it waiting.
alter table cursors add column wanted_at timestamptz; -- null: it wants none, or a version before this one noted it
