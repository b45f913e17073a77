-- Headers whose names say that they carry credentials are sealed, and no longer in `headers`. Those that
-- were saved before stay there until the server has sealed them.
alter table targets
  add column secret_headers text;                  -- sealed: names and values as JSON; null: none
