-- What belongs to one episode of failing, and not to the life of an entry.

alter table cursors
  add column tries        integer     not null default 0, -- failed attempts since the last success
  add column asked_until  timestamptz,                    -- Retry-After: nobody but `retry` sends before
  add column tried_target_id uuid;                        -- whose version tried_target is

alter table targets
  add column moved_version integer not null default 0;    -- since when base_url is what it is

alter table parked
  add column tries integer not null default 1;            -- failed attempts of its window
