-- What a request with an Idempotency-Key makes is made of the same, also by whoever takes it over after
-- a crash: so it is there once. One that failed on our side has taken_at '-infinity'.
alter table idempotency_keys
  add column making uuid,                          -- id of what it makes
  add column seed   text;                          -- sealed, until it is done: of a secret in that
